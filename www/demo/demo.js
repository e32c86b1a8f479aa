/** The page: a model that all tabs share, a paper that two of them share, and the tabs. */

import { ClassifyTab } from './classify.js';
import { DepositTab } from './deposit.js';
import { Draft } from './draft.js';
import { EmbedTab } from './embed.js';
import { part } from './page.js';
import { ModelPanel } from './panel.js';
import { Tabs } from './tabs.js';

/**
 * @typedef {object} Tab
 * @property {() => void} show   brings the tab up to date: it has come to be shown, or the model has changed
 * @property {() => void} typed  somebody who wants answers while typing has paused
 */

const model = new ModelPanel();
const draft = new Draft(['', 'classify-'], () => shown().typed());

/** @type {Record<string, Tab>} */
const tabs = {
  embed: new EmbedTab(model, draft),
  classify: new ClassifyTab(model, draft),
  deposit: new DepositTab(model),
};

let name = '';
const shown = () => /** @type {Tab} */ (tabs[name]);

model.addEventListener('change', () => {
  // A CPU is fast enough to answer while somebody types; software that stands in for a GPU is not.
  if (model.specter) draft.suggestLive(!model.specter.info().device.software);
  shown().show();
});

new Tabs(part('tabs', HTMLElement), (next) => {
  name = next;
  if (model.state !== 'loading') model.say();
  shown().show();
});
