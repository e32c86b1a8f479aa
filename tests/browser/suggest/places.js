export { presetOf } from '/places.js';
