"""What a family that was trained by this recipe can prove, and what it cannot: a report on one begins with it."""

from __future__ import annotations

CAN = (
    "What Skiff can prove: that the program measures what it says. Everything was trained from scratch by a recipe in this "
    "repository, so that it is known which facts the models were taught, that the base was taught to judge statements as true "
    "or false, and which stage planted the refusal of the word «kill». A method that finds these things here, and finds nothing "
    "where nothing was put (labels that are shuffled, a base that was trained without labelled statements), works."
)
CANNOT = (
    "What Skiff cannot prove: anything about large language models. Its truth direction was trained into it and is no "
    "discovery; it knows some twelve hundred facts; four million weights with a tied unembedding may lack what large models "
    "have, entropy neurons among it. A finding that holds here holds on a positive control; one that does not is no evidence "
    "against the paper. The same command on another family (python launch.py report --family NAME) says what its models show."
)
OPENING = (CAN, CANNOT)
