//! The surface for JavaScript, where this crate is a WebAssembly module of its own: a page that teaches nothing does not
//! download it. `www/fit.js` wraps it.

use js_sys::Reflect;
use wasm_bindgen::prelude::*;

use crate::{ClassWeights, Error, Fit, Fitted, Kind, Options, Progress, Step, Targets};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = Error)]
    type JsError;

    #[wasm_bindgen(constructor, js_class = "Error")]
    fn new(message: &str) -> JsError;
}

/// A failure becomes a JavaScript error with a code.
impl From<Error> for JsValue {
    fn from(error: Error) -> Self {
        let code = if error.is_of_an_option() { "invalid-option" } else { "invalid-input" };
        let js = JsValue::from(JsError::new(&error.to_string()));
        for (key, value) in [("name", "SpecterError"), ("code", code)] {
            // A plain error object takes any property.
            let _ = Reflect::set(&js, &key.into(), &value.into());
        }
        js
    }
}

/// What is learned, and how.
#[wasm_bindgen]
pub struct LearningOptions(Options);

#[wasm_bindgen]
impl LearningOptions {
    /// Of a kind, with its defaults: `multinomial`, `one-vs-rest` or, for any other word, `ridge`.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(kind: &str) -> Self {
        let known = [Kind::Multinomial, Kind::OneVsRest];
        let kind = known.into_iter().find(|known| known.to_string() == kind).unwrap_or(Kind::Ridge);
        Self(Options::new(kind))
    }

    /// The strengths to compare.
    #[wasm_bindgen(js_name = setStrengths)]
    pub fn set_strengths(&mut self, strengths: Vec<f64>) {
        self.0.strengths = strengths;
    }

    /// Into how many folds examples are divided.
    #[wasm_bindgen(js_name = setFolds)]
    pub fn set_folds(&mut self, folds: usize) {
        self.0.folds = folds;
    }

    /// Rare labels count as much as frequent ones.
    pub fn balance(&mut self) {
        self.0.class_weights = ClassWeights::Balanced;
    }

    /// Labels count so much, each.
    pub fn weigh(&mut self, labels: Vec<String>, weights: Vec<f64>) {
        self.0.class_weights = ClassWeights::ByLabel(labels.into_iter().zip(weights).collect());
    }
}

/// A head that is being learned.
#[wasm_bindgen]
pub struct Learning {
    fit: Fit,
    progress: Progress,
    fitted: Fitted,
}

#[wasm_bindgen]
impl Learning {
    fn of(
        vectors: &[f32],
        width: usize,
        targets: &Targets,
        options: &LearningOptions,
    ) -> Result<Self, Error> {
        let fit = Fit::new(vectors, width, targets, &options.0)?;
        Ok(Self { progress: fit.progress(), fit, fitted: Fitted::default() })
    }

    /// From one label of each vector.
    #[wasm_bindgen(js_name = ofLabels)]
    pub fn of_labels(
        vectors: &[f32],
        width: usize,
        labels: Vec<String>,
        options: &LearningOptions,
    ) -> Result<Learning, JsValue> {
        Ok(Self::of(vectors, width, &Targets::Labels(labels), options)?)
    }

    /// From a set of labels of each vector: all sets end to end, and how many labels each has.
    #[wasm_bindgen(js_name = ofLabelSets)]
    pub fn of_label_sets(
        vectors: &[f32],
        width: usize,
        labels: Vec<String>,
        counts: &[u32],
        options: &LearningOptions,
    ) -> Result<Learning, JsValue> {
        let mut labels = labels.into_iter();
        let sets = counts.iter().map(|&count| labels.by_ref().take(count as usize).collect()).collect();
        Ok(Self::of(vectors, width, &Targets::LabelSets(sets), options)?)
    }

    /// From a value of each vector.
    #[wasm_bindgen(js_name = ofValues)]
    pub fn of_values(
        vectors: &[f32],
        width: usize,
        values: Vec<f64>,
        options: &LearningOptions,
    ) -> Result<Learning, JsValue> {
        Ok(Self::of(vectors, width, &Targets::Values(values), options)?)
    }

    /// A bounded piece of the work; says whether all is done.
    pub fn step(&mut self) -> bool {
        match self.fit.step() {
            Step::Working(progress) => {
                self.progress = progress;
                false
            }
            Step::Finished(fitted) => {
                self.progress.done = self.progress.total;
                self.fitted = fitted;
                true
            }
        }
    }

    /// How much is done.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn done(&self) -> f64 {
        self.progress.done
    }

    /// Of how much.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn total(&self) -> f64 {
        self.progress.total
    }

    /// The names of the rows; none where values were learned.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn labels(&self) -> Vec<String> {
        self.fitted.labels.clone()
    }

    /// `(rows, width)`, row-major.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn weight(&self) -> Vec<f32> {
        self.fitted.weight.clone()
    }

    /// One number for each row.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn bias(&self) -> Vec<f32> {
        self.fitted.bias.clone()
    }

    /// The strength it was learned with.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn strength(&self) -> f64 {
        self.fitted.strength
    }

    /// The strengths that were compared, each followed by its score.
    #[wasm_bindgen(getter)]
    #[must_use]
    pub fn validation(&self) -> Vec<f64> {
        self.fitted.validation.iter().flat_map(|tried| [tried.strength, tried.score]).collect()
    }
}
