// Models by a short name. Between the outermost braces is strict JSON, which the command line reads from this same file:
// no braces belong up here. A revision is a commit where one is known to be in use, and the branch main where none is.
export const presets = {
  "specter2": {
    "description": "SPECTER2, for papers of any field, with an adapter for each kind of task.",
    "id": "allenai/specter2_base",
    "revision": "3447645e1def9117997203454fa4495937bfbd83",
    "adapters": {
      "proximity": { "id": "allenai/specter2", "revision": "2081559630a80fc5851d8f798a05ba81e9468089" },
      "query": { "id": "allenai/specter2_adhoc_query", "revision": "3f4448817028388648a74349ece07af4518ec5bd" },
      "classification": { "id": "allenai/specter2_classification", "revision": "main" },
      "regression": { "id": "allenai/specter2_regression", "revision": "main" }
    },
    "tasks": {
      "proximity": { "adapter": "proximity" },
      "query": { "adapter": "query" },
      "classification": { "adapter": "classification" },
      "regression": { "adapter": "regression" }
    },
    "template": "{title}{sep}{abstract}",
    "pooling": "cls",
    "normalize": false,
    "similarity": "euclidean",
    "license": "Apache-2.0",
    "citation": "Singh, D'Arcy, Cohan, Downey, Feldman. SciRepEval: A Multi-Format Benchmark for Scientific Document Representations. EMNLP 2023. arXiv:2211.13308"
  },
  "specter2-2023": {
    "description": "SPECTER2 with a base that was trained on papers published after 2018.",
    "id": "allenai/specter2_aug2023refresh_base",
    "revision": "main",
    "adapters": {
      "proximity": { "id": "allenai/specter2_aug2023refresh", "revision": "main" },
      "query": { "id": "allenai/specter2_aug2023refresh_adhoc_query", "revision": "main" },
      "classification": { "id": "allenai/specter2_aug2023refresh_classification", "revision": "main" },
      "regression": { "id": "allenai/specter2_aug2023refresh_regression", "revision": "main" }
    },
    "tasks": {
      "proximity": { "adapter": "proximity" },
      "query": { "adapter": "query" },
      "classification": { "adapter": "classification" },
      "regression": { "adapter": "regression" }
    },
    "template": "{title}{sep}{abstract}",
    "pooling": "cls",
    "normalize": false,
    "similarity": "euclidean",
    "license": "Apache-2.0",
    "citation": "Singh, D'Arcy, Cohan, Downey, Feldman. SciRepEval: A Multi-Format Benchmark for Scientific Document Representations. EMNLP 2023. arXiv:2211.13308"
  },
  "specter": {
    "description": "The first SPECTER, trained on citations.",
    "id": "allenai/specter",
    "revision": "main",
    "adapters": {},
    "tasks": {},
    "template": "{title}{sep}{abstract}",
    "pooling": "cls",
    "normalize": false,
    "similarity": "euclidean",
    "license": "Apache-2.0",
    "citation": "Cohan, Feldman, Beltagy, Downey, Weld. SPECTER: Document-level Representation Learning using Citation-informed Transformers. ACL 2020. arXiv:2004.07180"
  },
  "scincl": {
    "description": "SciNCL, trained on neighbours in a citation graph.",
    "id": "malteos/scincl",
    "revision": "ebc5348d184ba2fc9beee69b4e394263fce57b2e",
    "adapters": {},
    "tasks": {},
    "template": "{title}{sep}{abstract}",
    "pooling": "cls",
    "normalize": false,
    "similarity": "euclidean",
    "license": "MIT",
    "citation": "Ostendorff, Rethmeier, Augenstein, Gipp, Rehm. Neighborhood Contrastive Learning for Scientific Document Representations with Citation Embeddings. EMNLP 2022. arXiv:2202.06671"
  },
  "scimult": {
    "description": "SciMult, with weights of its own for each of three tasks: search, link prediction and classification.",
    "id": "yuz9yuz/SciMult",
    "revision": "main",
    "weights": "scimult_moe.ckpt",
    "base": { "id": "microsoft/BiomedNLP-BiomedBERT-base-uncased-abstract", "revision": "main" },
    "adapters": {},
    "tasks": {
      "search": { "experts": 0 },
      "link-prediction": { "experts": 1 },
      "classification": { "experts": 2 }
    },
    "template": "{title} {sep} {abstract}",
    "pooling": "cls",
    "normalize": false,
    "similarity": "dot",
    "license": "MIT",
    "citation": "Zhang, Cheng, Shen, Liu, Wang, Gao. Pre-training Multi-task Contrastive Learning Models for Scientific Literature Understanding. Findings of EMNLP 2023. arXiv:2305.14232"
  },
  "semcse": {
    "description": "SemCSE, trained on what abstracts say and not on who cites whom, for distances.",
    "id": "CLAUSE-Bielefeld/SemCSE",
    "revision": "main",
    "adapters": {},
    "tasks": {},
    "template": "{title}{sep}{abstract}",
    "pooling": "cls",
    "normalize": false,
    "similarity": "euclidean",
    "license": "NOASSERTION",
    "citation": "Brinner, Zarrieß. SemCSE: Semantic Contrastive Sentence Embeddings Using LLM-Generated Summaries For Scientific Abstracts. EMNLP 2025. arXiv:2507.13105"
  },
  "semcse-cosine": {
    "description": "SemCSE, trained for cosines.",
    "id": "CLAUSE-Bielefeld/SemCSE_cosine",
    "revision": "main",
    "adapters": {},
    "tasks": {},
    "template": "{title}{sep}{abstract}",
    "pooling": "cls",
    "normalize": false,
    "similarity": "cosine",
    "license": "NOASSERTION",
    "citation": "Brinner, Zarrieß. SemCSE: Semantic Contrastive Sentence Embeddings Using LLM-Generated Summaries For Scientific Abstracts. EMNLP 2025. arXiv:2507.13105"
  },
  "scibert": {
    "description": "SciBERT, lower case: a language model to build on, which nobody has trained to compare papers.",
    "id": "allenai/scibert_scivocab_uncased",
    "revision": "24f92d32b1bfb0bcaf9ab193ff3ad01e87732fc1",
    "adapters": {},
    "tasks": {},
    "template": "{title}{sep}{abstract}",
    "pooling": "mean",
    "normalize": false,
    "similarity": "cosine",
    "license": "Apache-2.0",
    "citation": "Beltagy, Lo, Cohan. SciBERT: A Pretrained Language Model for Scientific Text. EMNLP 2019. arXiv:1903.10676"
  },
  "erc": {
    "description": "A classifier that sorts papers into the 28 panels of the European Research Council.",
    "id": "SIRIS-Lab/erc-classifiers",
    "revision": "main",
    "adapters": {},
    "tasks": {},
    "template": "{title}. {abstract}",
    "pooling": "cls",
    "normalize": false,
    "similarity": "cosine",
    "function": "sigmoid",
    "license": "Apache-2.0",
    "citation": "SIRIS Lab. erc-classifiers. Hugging Face, https://huggingface.co/SIRIS-Lab/erc-classifiers"
  },
  "minilm": {
    "description": "all-MiniLM-L6-v2: small, for sentences of any kind, and the quickest.",
    "id": "sentence-transformers/all-MiniLM-L6-v2",
    "revision": "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
    "adapters": {},
    "tasks": {},
    "template": "{title}. {abstract}",
    "pooling": "mean",
    "normalize": true,
    "similarity": "cosine",
    "license": "Apache-2.0",
    "citation": "Reimers, Gurevych. Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks. EMNLP 2019. arXiv:1908.10084"
  }
};
