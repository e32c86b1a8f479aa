/** Papers and titles to try the page with. All were written for it; none was ever published. */

/**
 * @typedef {object} ExamplePaper
 * @property {string} id
 * @property {string} field
 * @property {string} title
 * @property {string} abstract
 */

/**
 * What a paper is compared with. The first two are about the same thing, so a model that reads well puts them side by
 * side.
 *
 * @type {ExamplePaper[]}
 */
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

/** What “Fill in an example” writes where papers are compared. */
export const SUGGESTION = {
  title: 'Finding related work by reading only the abstract',
  abstract:
    'Scholars miss relevant articles because neighbouring fields use other words for the same idea. We compare document embeddings from several pretrained language models as a means of finding related work, and ask eighty researchers to judge the results. Models that have learned from citations find more of what the researchers later cited.',
};

/** What it writes where papers are classified, one after the other. */
export const TOPICS = [
  {
    title: 'Who votes after a merger? Turnout in amalgamated municipalities',
    abstract:
      'Between 2001 and 2015 a third of the municipalities in our sample were merged with a neighbour. Comparing local elections before and after, we find that turnout falls by four points, most of all where the new council sits in another town. Party lists replace independent candidates, and mayors win by wider margins.',
  },
  {
    title: 'Sleep and recall in schoolchildren: a diary study with wrist actigraphy',
    abstract:
      'One hundred and twelve children aged eight to eleven kept a sleep diary for three weeks and learned word pairs in the evening or in the morning. Recall was better after sleep, but only for children who slept regularly. Parents’ ratings of sleep quality said little about either measure.',
  },
  {
    title: 'Vaccination against influenza in nursing homes: a randomized trial',
    abstract:
      'We randomly assigned residents of forty nursing homes to a high-dose or a standard influenza vaccine. Over two winters, antibody titres were higher and admissions to hospital with pneumonia rarer after the high dose, most of all in residents over eighty. Fever and a sore arm were more frequent; serious side effects were not.',
  },
];

/** The same for classes that were taught: one for each of them, on nothing that they were taught with. */
export const UNSEEN = [
  {
    title: 'Manure, lime and the acidity of upland pastures',
    abstract: 'Plots on four hill farms were limed once and manured each spring. After eight years the topsoil holds more calcium and less aluminium, and streams below the plots carry more nitrogen.',
  },
  {
    title: 'Nicknames and diminutives in four Slavic languages',
    abstract: 'From interviews and family letters we collect the forms in which people address each other. Suffixes that once made a noun small now mark closeness, and the vowel before them is lengthened.',
  },
  {
    title: 'Finding a flat with a foreign name',
    abstract: 'We answered two thousand advertisements for flats under names that sound local or foreign. Landlords in districts with many newcomers reply as often to both; elsewhere a foreign name halves the invitations.',
  },
];

/** A record for the deposit form: what goes into its fields, by id, and its authors. */
export const DEPOSIT = {
  fields: {
    'deposit-type': 'Journal article',
    'deposit-title': 'How shifting rivers redraw the outlines of towns: a remote sensing study',
    'deposit-abstract':
      'From forty years of satellite images we trace nine lowland rivers and the towns on their floodplains. Where channels shift and banks erode, settlements move away from the water within a decade, and wetlands return with their birds and fishes. People had begun to leave before flood walls were built.',
    'deposit-date': '2025-03-14',
    'deposit-language': 'eng',
    'deposit-license': 'cc-by-4.0',
    'deposit-publisher': 'Invented Journal of Physical Geography',
  },
  authors: [
    { family: 'Brunner', given: 'Lea' },
    { family: 'Okafor', given: 'Chidi' },
  ],
};

/** Classes to teach. */
export const CLASSES = [
  {
    name: 'Soils and water',
    titles: [
      'Nitrate leaching under cover crops in sandy soils',
      'How earthworms change the infiltration of heavy rain',
      'Phosphorus in lake sediments after forty years of farming',
      'Mapping soil carbon with airborne spectroscopy',
      'Groundwater recharge in a drying river basin',
      'Terraces, erosion and yield on steep slopes',
      'Salt in irrigated fields: a regional balance',
      'Microbial respiration in thawing peat',
      'Wetlands as filters for agricultural runoff',
      'The water use of mixed and pure forest stands',
    ],
  },
  {
    name: 'Language and speech',
    titles: [
      'Vowel length in three dialects of the northern coast',
      'How children learn to negate',
      'Word order and emphasis in spoken narratives',
      'Loan words in the trade of a medieval port',
      'Code switching in bilingual classrooms',
      'A corpus of courtroom interpreting',
      'Pauses and turn taking on the telephone',
      'Tone and stress in an undescribed language',
      'Reading aloud and silent reading compared',
      'The grammar of polite requests',
    ],
  },
  {
    name: 'Migration and cities',
    titles: [
      'Renting as a newcomer: discrimination in housing advertisements',
      'Remittances and the growth of small towns',
      'Where refugees settle when they may choose',
      'Neighbourhood associations and second-generation youth',
      'Informal transport at the edge of a metropolis',
      'Commuting across a border after its opening',
      'Gentrification and the closing of corner shops',
      'Seasonal workers and the cost of housing',
      'Residence permits and careers of nurses from abroad',
      'Public squares as meeting places of migrants',
    ],
  },
];
