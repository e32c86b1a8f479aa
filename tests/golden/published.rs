//! A small network in every form in which models of its family are published.

use std::collections::BTreeMap;

use serde::Deserialize;
use specter_web::engine::Backend;
use specter_web::engine::reference::Reference;
use specter_web::folder::MemoryFolder;
use specter_web::model::Pooling;
use specter_web::task::convert::Conversion;
use specter_web::task::inspect::inspect;
use specter_web::task::{EmbedOptions, LoadOptions, Specter};
use specter_web::text::Document;
use specter_web::weights::Format;

use crate::devices::on_every_device;
use crate::fixtures::{Paper, directory, largest_difference, read};

const FOLDER: &str = "tests/fixtures/published";

#[derive(Deserialize)]
struct Goldens {
    papers: Vec<Paper>,
    cases: BTreeMap<String, Case>,
}

#[derive(Deserialize)]
struct Case {
    input_ids: Vec<Vec<u32>>,
    cls: Vec<Vec<f32>>,
    mean: Vec<Vec<f32>>,
}

on_every_device!(every_form_of_a_model_gives_the_vectors_of_its_library);

async fn every_form_of_a_model_gives_the_vectors_of_its_library<B: Backend>(backend: impl Fn() -> B) {
    let goldens: Goldens = read(&format!("{FOLDER}/goldens.json"));
    let documents: Vec<Document> = goldens.papers.iter().map(Paper::document).collect();
    assert!(goldens.cases.len() >= 13, "only {} forms", goldens.cases.len());
    for (case, expected) in &goldens.cases {
        let options = LoadOptions { format: Format::F32, ..LoadOptions::default() };
        let folder = directory(&format!("{FOLDER}/{case}"));
        let specter = Specter::load(&folder, options, backend(), |_, _| Ok(())).await;
        let mut specter = specter.unwrap_or_else(|error| panic!("{case}: {error}"));
        for (document, ids) in documents.iter().zip(&expected.input_ids) {
            let text = document.text(specter.template(), specter.tokenizer().separator());
            assert_eq!(&specter.tokenizer().encode(&text).expect("it encodes"), ids, "{case}: {text}");
        }
        for (pooling, expected) in [(Pooling::Cls, &expected.cls), (Pooling::Mean, &expected.mean)] {
            let options =
                EmbedOptions { pooling: Some(pooling), normalize: Some(false), ..EmbedOptions::default() };
            let found = specter.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
            for (found, expected) in found.data.chunks(32).zip(expected) {
                let size = expected.iter().fold(1.0_f32, |size, value| size.max(value.abs()));
                let difference = largest_difference(found, expected) / size;
                assert!(difference < 2e-5, "{case} {pooling:?}: differs by {difference}");
            }
        }
    }
}

#[test]
fn converting_and_loading_equals_loading_for_every_form_and_dtype() {
    let goldens: Goldens = read(&format!("{FOLDER}/goldens.json"));
    let documents: Vec<Document> = goldens.papers.iter().map(Paper::document).collect();
    pollster::block_on(async {
        for case in goldens.cases.keys() {
            for format in Format::ALL {
                let source = directory(&format!("{FOLDER}/{case}"));
                let mut converted = MemoryFolder::new("converted", []);
                let conversion = Conversion::new(format);
                conversion.run(&source, &mut converted, |_, _| Ok(())).await.expect("it converts");

                let options = LoadOptions { format, ..LoadOptions::default() };
                let embed = EmbedOptions::default();
                let mut direct = Specter::load(&source, options.clone(), Reference::new(), |_, _| Ok(()))
                    .await
                    .expect("it loads");
                let mut stored = Specter::load(&converted, options, Reference::new(), |_, _| Ok(()))
                    .await
                    .expect("it loads");
                let direct = direct.embed(&documents, &embed, |_, _| Ok(())).await.expect("it embeds");
                let stored = stored.embed(&documents, &embed, |_, _| Ok(())).await.expect("it embeds");
                assert!(direct == stored, "{case} {format:?}");
            }
        }
    });
}

#[test]
fn what_is_not_used_is_listed() {
    let listed = |case: &str| {
        pollster::block_on(inspect(&directory(&format!("{FOLDER}/{case}")), None))
            .expect("it is a model")
            .to_string()
    };
    for (case, ignored) in [
        ("pretraining_bin", "cls.predictions.bias"),
        ("pretraining_2019_legacy_bin", "embeddings.position_ids"),
        ("adapter_model_bin", "adapter_down.0.weight"),
    ] {
        let listed = listed(case);
        assert!(listed.contains(ignored), "{case}: {listed}");
    }
}
