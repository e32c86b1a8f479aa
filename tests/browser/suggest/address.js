/** The package's own, for the component that is served beside the stand-in. */
export * from '/address.js';
