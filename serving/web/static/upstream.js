// What the NHS design system's script adds to a page that is whole without it: the focus goes to the content after the skip link and to
// what is wrong with a form, a second click sends nothing twice, and a link drawn as a button answers to the space bar.
import { initAll } from "./nhsuk/nhsuk-frontend.min.js";

document.body.classList.add("nhsuk-frontend-supported");
initAll();
