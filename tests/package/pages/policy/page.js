import { Specter } from './specter-web/specter.js';
import './specter-web/suggest/specter-suggest.js';

globalThis.Specter = Specter;
