/** The package as somebody meets it who writes TypeScript and has installed it: compiled, never run. */
import { Specter, SpecterError, type Embeddings, type Paper } from 'specter-web';
import { ercPanels } from 'specter-web/labels/erc-panels';
import { presets } from 'specter-web/presets.js';
import { SpecterSuggest } from 'specter-web/suggest';
import 'specter-web/suggest/specter-suggest.js';
import 'specter-web/worker.js';

export async function embed(papers: Paper[]): Promise<Embeddings> {
  const specter = await Specter.load('specter2', { dtype: 'q8' });
  const embeddings = await specter.embed(papers, { adapter: 'proximity' });
  const first: number | undefined = embeddings.data[0];
  if (first === undefined) throw new SpecterError('internal', presets.specter2.description);
  return embeddings;
}

const [panel] = ercPanels;
export const code: string | undefined = panel?.code;

const element: HTMLElement = new SpecterSuggest();
document.body.append(element);

// @ts-expect-error: if nothing were known of the package, this would be as good as anything.
export const wrong: number = Specter;
