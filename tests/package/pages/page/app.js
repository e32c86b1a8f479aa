import { Specter } from 'specter-web';
import { ercPanels } from 'specter-web/labels/erc-panels';
import { presets } from 'specter-web/presets.js';
import 'specter-web/suggest';

Object.assign(globalThis, { Specter, ercPanels, presets });
