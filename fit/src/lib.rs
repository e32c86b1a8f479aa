//! Learns linear heads: from vectors with labels or values to one row of weights and a bias for each label.
//!
//! What is learned is what scikit-learn's `LogisticRegression`, `OneVsRestClassifier(LogisticRegression())` and
//! `Ridge` define, to the precision of f32, with the strength of regularization chosen as `GridSearchCV` chooses it.
//! The walk of a [`Fit`]:
//!
//! * `examples`: labels and values are checked and become numbers; `outputs` says which of these should be high when.
//! * [`folds`]: which examples are held back when strengths are compared, and `score`: by what.
//! * `features`: vectors are centred and, where they are no more than their components, written in fewer numbers.
//! * `gram`: inner products of components, and `factor`: the triangular factor of such a matrix.
//! * `loss`: the objective of logistic regression, seen through that factor; `descent`: L-BFGS on it, an iteration at
//!   a time; `logistic`: both for each strength and fold.
//! * `ridge`: solves for each strength and fold with the factor alone.
//! * `kernel`: the two loops in which all of the time is spent.
//!
//! ```
//! use specter_web_fit::{Fit, Kind, Options, Step, Targets};
//!
//! let vectors = [0.1, 0.9, 0.2, 0.8, 0.9, 0.1, 0.8, 0.3];
//! let labels = ["sea", "sea", "sky", "sky"].map(str::to_owned).to_vec();
//! let options = Options { strengths: vec![10.0], ..Options::new(Kind::Multinomial) };
//! let mut fit = Fit::new(&vectors, 2, &Targets::Labels(labels), &options)?;
//! let fitted = loop {
//!     match fit.step() {
//!         Step::Working(progress) => assert!(progress.done <= progress.total),
//!         Step::Finished(fitted) => break fitted,
//!     }
//! };
//! assert_eq!(fitted.labels, ["sea", "sky"]);
//! assert!(fitted.weight[0] < fitted.weight[2]);
//! # Ok::<(), specter_web_fit::Error>(())
//! ```

#![expect(
    clippy::indexing_slicing,
    reason = "lengths follow from what Fit::new has checked; an index beyond them is a defect and must stop there"
)]

mod descent;
mod error;
mod examples;
mod factor;
mod features;
mod fit;
pub mod folds;
mod gram;
mod kernel;
mod logistic;
mod loss;
#[cfg(all(target_arch = "wasm32", feature = "module"))]
mod module;
mod options;
mod outputs;
mod ridge;
mod score;

pub use error::Error;
pub use examples::Targets;
pub use fit::{Fit, Fitted, Progress, Step, Validation};
pub use options::{ClassWeights, Kind, Options};
