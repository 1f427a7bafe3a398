/* Gradio's clocks of waiting, slowed down. One of them is never stopped: it belongs to the wheel that turns before the page is there, and
   has the browser make sixty frames a second for as long as the page is open (`python launch.py bench page` compares what a page costs
   that is left open). Nothing here shows such a clock; it goes on at a frame a second. */
"use strict";

(() => {
  const CLOCK = /^\(\)=>\{.{0,40}performance\.now\(\)-/;
  const SLOWLY = 1_000;         // milliseconds
  const frame = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (draw) => CLOCK.test(draw) ? setTimeout(() => frame(draw), SLOWLY) : frame(draw);
})();
