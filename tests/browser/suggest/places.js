export { checkKnownTask, presetOf } from '/places.js';
