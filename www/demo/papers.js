/**
 * Example papers to compare with. Written for this page; none of them was ever published. The first two are
 * about the same thing, so a model that reads well puts them side by side.
 */

/**
 * @typedef {object} ExamplePaper
 * @property {string} id
 * @property {string} field
 * @property {string} title
 * @property {string} abstract
 */

/** @type {ExamplePaper[]} */
export const EXAMPLES = [
  {
    id: 'reviewers',
    field: 'Information retrieval',
    title: 'Who should review this? Matching submissions to referees by what they write',
    abstract:
      'Programme chairs spend weeks assigning manuscripts to reviewers. We represent each submission and each candidate by vectors of their titles and abstracts, taken from a language model trained on scientific text, and rank candidates by similarity. On four conferences the ranking agrees with the chairs’ own choices more often than keyword overlap does, and an expert needs half the time to correct it.',
  },
  {
    id: 'citations',
    field: 'Natural language processing',
    title: 'Papers that cite each other should be neighbours: embeddings of scientific documents',
    abstract:
      'A citation says that two papers belong together even where they share few words. We train a transformer encoder so that the vector of a paper lies closer to those it cites than to those it does not. The vectors, computed from title and abstract alone, improve recommendation, topic classification and the search for related work without further training.',
  },
  {
    id: 'beech',
    field: 'Ecology',
    title: 'Fungal partners decide how fast beech forests recover from drought',
    abstract:
      'We followed forty-two beech stands over the three summers after a severe drought. Trees whose roots kept a diverse community of mycorrhizal fungi regained their leaf area a year earlier than others on the same soil. Moving soil between stands transferred part of the effect to seedlings, which points to the fungi and not to the site.',
  },
  {
    id: 'merger',
    field: 'Astrophysics',
    title: 'A late X-ray glow constrains what a neutron star merger leaves behind',
    abstract:
      'Nine hundred days after a gravitational-wave signal from two merging neutron stars, deep X-ray observations still show emission above the fading afterglow of its jet. We compare accretion onto a young black hole with the spin-down of a massive magnetar, and find that only a remnant which collapsed within a second explains both the spectrum and the slow decline.',
  },
  {
    id: 'electrolyte',
    field: 'Materials science',
    title: 'Grain boundaries, not bulk, limit lithium transport in a sulfide solid electrolyte',
    abstract:
      'Solid-state batteries need electrolytes that conduct lithium ions as well as liquids do. Combining impedance spectroscopy with molecular dynamics we separate the resistance of crystal grains from that of the boundaries between them. Annealing under pressure heals the boundaries, triples the conductivity at room temperature and delays the growth of dendrites.',
  },
  {
    id: 'bread',
    field: 'Economic history',
    title: 'The price of bread and the price of order: market riots in eighteenth-century towns',
    abstract:
      'From the account books of sixty-one towns we rebuild weekly bread prices between 1740 and 1789 and set them beside court records of unrest. Riots follow sudden rises more than high prices as such, and towns that published a fixed tariff saw fewer of them. The poor, it seems, judged the fairness of a price by how it was announced.',
  },
];

/** What “Fill in an example” writes into the form. */
export const SUGGESTION = {
  title: 'Finding related work by reading only the abstract',
  abstract:
    'Scholars miss relevant articles because neighbouring fields use other words for the same idea. We compare document embeddings from several pretrained language models as a means of finding related work, and ask eighty researchers to judge the results. Models that have learned from citations find more of what the researchers later cited.',
};
