/**
 * Tabs after the pattern of the ARIA Authoring Practices: one stop for the Tab key, arrow keys between them, and a tab
 * is chosen as it gets the focus. The address names the tab that is shown.
 */

export class Tabs {
  #tabs;
  #show;
  #isShown = false;

  /**
   * @param {HTMLElement} list  links with the role `tab`
   * @param {(name: string) => void} show  what is done besides showing its panel; the name is what the address ends with
   */
  constructor(list, show) {
    this.#tabs = Array.from(list.querySelectorAll('a'));
    this.#show = show;
    for (const tab of this.#tabs) {
      tab.addEventListener('click', (event) => {
        event.preventDefault();
        this.#choose(tab);
      });
      tab.addEventListener('keydown', (event) => this.#walk(tab, event));
    }
    addEventListener('hashchange', () => this.#follow());
    this.#follow();
  }

  /** Shows the tab that the address names. One that names no tab changes nothing, but there is always one shown. */
  #follow() {
    const named = this.#tabs.find(({ hash }) => hash === location.hash);
    const tab = named ?? (this.#isShown ? undefined : this.#tabs[0]);
    if (tab) this.#reveal(tab);
  }

  /** @param {HTMLAnchorElement} tab */
  #choose(tab) {
    // Without a step in the history: a tab is not a page.
    history.replaceState(null, '', tab.hash);
    this.#reveal(tab);
  }

  /** @param {HTMLAnchorElement} chosen */
  #reveal(chosen) {
    for (const tab of this.#tabs) {
      const isChosen = tab === chosen;
      tab.setAttribute('aria-selected', String(isChosen));
      tab.tabIndex = isChosen ? 0 : -1;
      const panel = document.getElementById(tab.getAttribute('aria-controls') ?? '');
      if (panel) panel.hidden = !isChosen;
    }
    this.#isShown = true;
    this.#show(chosen.hash.slice(1));
  }

  /**
   * @param {HTMLAnchorElement} tab
   * @param {KeyboardEvent} event
   */
  #walk(tab, event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const count = this.#tabs.length;
    const at = this.#tabs.indexOf(tab);
    const target = {
      ArrowLeft: (at + count - 1) % count,
      ArrowRight: (at + 1) % count,
      Home: 0,
      End: count - 1,
      ' ': at,
    }[event.key];
    const next = target === undefined ? undefined : this.#tabs[target];
    if (!next) return;
    event.preventDefault();
    next.focus();
    this.#choose(next);
  }
}
