/* Without it every answer stands there, one below the other. */
document.body.classList.add('scripted');
for (const part of document.querySelectorAll('.slider')) {
  const range = part.querySelector('input'), answers = [...part.querySelectorAll('.answer')];
  const swap = () => {
    answers.forEach((each, at) => { each.hidden = at !== Number(range.value); });
    range.setAttribute('aria-valuetext', answers[range.value].dataset.at);
  };
  part.querySelector('.moved').hidden = false;
  range.addEventListener('input', swap);
  swap();
}
