/**
 * The panels into which the European Research Council sorts proposals, since its work programme of 2024.
 *
 * Codes and names are the council's. The definitions are not: they are written for `rankLabels`, and name the objects,
 * methods and words that papers of a panel are likely to use.
 *
 * @example
 * import { ercPanels } from 'specter-web/labels/erc-panels';
 * const [panels] = await specter.rankLabels([paper], ercPanels, { topK: 3 }); // [{ label, score }], best first
 *
 * @module
 */

/**
 * A panel. `code` is how the council refers to it: two letters for the domain, and a number.
 *
 * @typedef {object} ErcPanel
 * @property {string} code
 * @property {string} name
 * @property {'Life Sciences' | 'Physical Sciences and Engineering' | 'Social Sciences and Humanities'} domain
 * @property {string} definition  in English
 */

/** @type {ErcPanel[]} */
const panels = [
  {
    code: 'LS1',
    name: 'Molecules of Life: Biological Mechanisms, Structures and Functions',
    domain: 'Life Sciences',
    definition:
      'How proteins, nucleic acids, lipids and sugars are built and act: enzymes and their kinetics, protein structure by crystallography or cryo-electron microscopy, binding, folding, metabolism and signalling pathways in molecular detail, biophysics of single molecules.',
  },
  {
    code: 'LS2',
    name: 'Integrative Biology: from Genes and Genomes to Systems',
    domain: 'Life Sciences',
    definition:
      'Genes and genomes and how they are regulated: sequencing, gene expression, transcriptomics, proteomics, epigenetics, inheritance and genetic variation in populations, genome-wide association, bioinformatics, and systems biology of gene and protein networks.',
  },
  {
    code: 'LS3',
    name: 'Cell Biology, Development, Stem Cells and Regeneration',
    domain: 'Life Sciences',
    definition:
      'What happens inside cells and how tissues form: membranes, organelles, cytoskeleton, cell division, migration and death, embryos and morphogenesis, stem cells, differentiation, organoids, and the regeneration of tissue in animals and plants.',
  },
  {
    code: 'LS4',
    name: 'Physiology in Health, Disease and Ageing',
    domain: 'Life Sciences',
    definition:
      'How organs and bodies work and fail: heart, vessels, kidney, liver, lung, muscle, bone, hormones, nutrition, alcohol, obesity, diabetes, tumours, exercise and ageing, in rats and mice, isolated tissue and people.',
  },
  {
    code: 'LS5',
    name: 'Neuroscience and Disorders of the Nervous System',
    domain: 'Life Sciences',
    definition:
      'The brain, the spinal cord and the nerves: neurons, synapses, circuits, sensory and motor systems, electrophysiology and brain imaging, and disorders such as dementia, epilepsy, stroke, pain, depression and schizophrenia.',
  },
  {
    code: 'LS6',
    name: 'Immunity, Infection and Immunotherapy',
    domain: 'Life Sciences',
    definition:
      'Defence against disease and what it fights: T cells, antibodies, inflammation, allergy and autoimmunity, viruses, bacteria, fungi and parasites, resistance to antibiotics, vaccines, transplantation and immune therapies of cancer.',
  },
  {
    code: 'LS7',
    name: 'Prevention, Diagnosis and Treatment of Human Diseases',
    domain: 'Life Sciences',
    definition:
      'Medicine for patients: clinical trials, surgery, drugs and their dosing, radiology and medical imaging, diagnosis, case reports, epidemiology and risk factors of disease, public health, nursing, dentistry, rehabilitation, hospitals and medical devices.',
  },
  {
    code: 'LS8',
    name: 'Environmental Biology, Ecology and Evolution',
    domain: 'Life Sciences',
    definition:
      'Organisms in their environment: species, populations, communities and ecosystems, biodiversity and conservation, animal behaviour, taxonomy and phylogeny, natural selection and evolution, wild plants, insects, fishes and birds, marine and freshwater ecology.',
  },
  {
    code: 'LS9',
    name: 'Biotechnology and Biosystems Engineering',
    domain: 'Life Sciences',
    definition:
      'Living things put to use: agriculture, crops, livestock, dairy, aquaculture, forestry, farm soils, food processing and safety, plant breeding, gene editing, synthetic biology, fermentation, bioreactors, biofuels, biosensors, and microbes that clean up pollution.',
  },
  {
    code: 'PE1',
    name: 'Mathematics',
    domain: 'Physical Sciences and Engineering',
    definition:
      'Theorems and proofs: algebra, groups and their representations, number theory, geometry, topology, functional analysis, differential equations, dynamical systems, combinatorics, logic, probability and stochastic processes, numerical analysis, and the statistics of distributions, estimators and tests.',
  },
  {
    code: 'PE2',
    name: 'Fundamental Constituents of Matter',
    domain: 'Physical Sciences and Engineering',
    definition:
      'Particles, nuclei, atoms, light and plasma: quarks, neutrinos, the Higgs boson, accelerators and colliders, quantum field theory and gravity, excited nuclei and radioactive decay, atomic and molecular collisions, lasers, quantum optics, cold gases and fusion.',
  },
  {
    code: 'PE3',
    name: 'Condensed Matter Physics',
    domain: 'Physical Sciences and Engineering',
    definition:
      'The physics of solids, liquids and soft matter: electronic structure, semiconductors, superconductors, magnetism and spins, phase transitions, lattice vibrations, nanostructures, thin films, transport of charge and heat, polymers, granular matter and statistical physics.',
  },
  {
    code: 'PE4',
    name: 'Physical and Analytical Chemical Sciences',
    domain: 'Physical Sciences and Engineering',
    definition:
      'How chemical substances behave and are measured: spectroscopy, mass spectrometry, chromatography, thermodynamics, reaction kinetics, electrochemistry, surfaces and catalysis, solutions and colloids, and computation of molecules by quantum chemistry or molecular dynamics.',
  },
  {
    code: 'PE5',
    name: 'Synthetic Chemistry and Materials',
    domain: 'Physical Sciences and Engineering',
    definition:
      'Making new molecules and compounds: organic and inorganic synthesis, ligands and metal complexes, catalysts for reactions, natural products, drug candidates, polymers, supramolecular assemblies, nanoparticles, porous frameworks, ionic liquids and crystals, with their characterization.',
  },
  {
    code: 'PE6',
    name: 'Computer Science and Informatics',
    domain: 'Physical Sciences and Engineering',
    definition:
      'Computers and software: algorithms and complexity, machine learning, clustering and data mining, computer vision, natural language processing, databases and search, programming languages, verification, security and authentication, internet and network protocols, distributed systems, human-computer interaction.',
  },
  {
    code: 'PE7',
    name: 'Systems and Communication Engineering',
    domain: 'Physical Sciences and Engineering',
    definition:
      'Electrical engineering: circuits, antennas, transistors, electronic and photonic devices, sensors, filters and signal processing, wireless, mobile and optical communication networks, control theory, robotics, power electronics, electric machines and power grids.',
  },
  {
    code: 'PE8',
    name: 'Products and Processes Engineering',
    domain: 'Physical Sciences and Engineering',
    definition:
      'Mechanical, civil, chemical and energy engineering: fluid flow and aerodynamics, heat transfer, combustion, engines, vibration, structures and bridges, concrete, geotechnics, manufacturing and machining, process plants, solar and wind power, waste treatment, railways, vehicles, aircraft and ships.',
  },
  {
    code: 'PE9',
    name: 'Universe Sciences',
    domain: 'Physical Sciences and Engineering',
    definition:
      'Astronomy and astrophysics: the sun and the planets, exoplanets, stars, galaxies, black holes, dark matter, cosmology, cosmic rays and gravitational waves, with telescopes, satellites, sky surveys and simulations.',
  },
  {
    code: 'PE10',
    name: 'Earth System Science',
    domain: 'Physical Sciences and Engineering',
    definition:
      'The solid earth, water, ice and air: geology, stratigraphy, seismology, volcanoes, minerals and sediments, oceanography, hydrology, rivers and groundwater, atmosphere and aerosols, weather, past and present climate, geochemistry, pollution of water and air, remote sensing.',
  },
  {
    code: 'PE11',
    name: 'Materials Engineering',
    domain: 'Physical Sciences and Engineering',
    definition:
      'Materials for a purpose: metals and alloys, ceramics, glass, composites, coatings, batteries and solar cells, biomedical implants, additive manufacturing, sintering and welding, with tests of strength, fatigue, corrosion, wear and microstructure.',
  },
  {
    code: 'SH1',
    name: 'Individuals, Markets and Organisations',
    domain: 'Social Sciences and Humanities',
    definition:
      'Economics, finance and management: prices, trade, growth, inflation, banks and investors, labour markets, wages, taxes, firms, strategy, marketing and consumers, innovation, accounting, econometrics, game theory and behavioural experiments.',
  },
  {
    code: 'SH2',
    name: 'Institutions, Governance and Legal Systems',
    domain: 'Social Sciences and Humanities',
    definition:
      'Politics and law: governments, parties, elections, democracy, public administration and policy, international relations, security and conflict, the European Union, constitutions, legislation, court cases, human rights, criminal procedure, tax and contract law, regulation and justice.',
  },
  {
    code: 'SH3',
    name: 'The Social World and Its Interactions',
    domain: 'Social Sciences and Humanities',
    definition:
      'How people live together: inequality, class, gender, ethnicity, families, youth, religion, crime, social media, education at schools and universities, teachers and students, curricula, sport and leisure, attitudes and prejudice, studied by surveys, interviews and fieldwork.',
  },
  {
    code: 'SH4',
    name: 'The Human Mind and Its Complexity',
    domain: 'Social Sciences and Humanities',
    definition:
      'Thought, language and behaviour: perception, attention, memory, emotion, personality, decisions, child development, learning, psychological tests and therapy, linguistics, speech and reading, bilingualism, and the philosophy of mind and knowledge.',
  },
  {
    code: 'SH5',
    name: 'Texts and Concepts',
    domain: 'Social Sciences and Humanities',
    definition:
      'Writing and ideas: novels, poetry and drama, literary theory and criticism, philology, manuscripts, translation, ancient and modern languages as literature, philosophy, ethics, theology and religious scripture, history of ideas and of science.',
  },
  {
    code: 'SH6',
    name: 'The Study of the Human Past',
    domain: 'Social Sciences and Humanities',
    definition:
      'Archaeology and history: excavations, prehistoric finds, ancient and medieval societies, early modern and modern states, empires, colonialism, slavery, revolutions, world wars, lives of historical persons, economic, social and cultural history from archives.',
  },
  {
    code: 'SH7',
    name: 'Human Mobility, Environment, and Space',
    domain: 'Social Sciences and Humanities',
    definition:
      'People and places: human geography, migration and refugees, demography and fertility, cities, housing and urban planning, transport and tourism, rural and regional development, land use, maps and geographic information systems, environmental policy, sustainability, adaptation to climate change.',
  },
  {
    code: 'SH8',
    name: 'Studies of Cultures and Arts',
    domain: 'Social Sciences and Humanities',
    definition:
      'Cultures and their works: anthropology and ethnography, customs and rituals, music, painting, sculpture, architecture, film, photography, theatre and dance, fashion, museums and heritage, popular and digital culture, cultural memory.',
  },
];

/** @type {readonly Readonly<ErcPanel>[]} all 28, in the order of their codes */
export const ercPanels = Object.freeze(panels.map((panel) => Object.freeze(panel)));
