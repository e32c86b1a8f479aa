import { Specter } from './specter-web/specter.js';

globalThis.Specter = Specter;
