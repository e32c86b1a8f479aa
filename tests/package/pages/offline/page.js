import { Specter } from './specter-web/specter.js';

globalThis.Specter = Specter;

await navigator.serviceWorker.register('./sw.js');
await navigator.storage.persist();
