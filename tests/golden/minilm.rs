//! all-MiniLM-L6-v2, with its real trained weights.

use specter_web::engine::Backend;
use specter_web::engine::gpu::{Gpu, GpuOptions, LinearKernel, Tuning};
use specter_web::engine::reference::Reference;
use specter_web::model::Pooling;
use specter_web::task::{EmbedOptions, LoadOptions, Specter};
use specter_web::text::{Document, Template};
use specter_web::weights::Format;
use specter_web_kernels::Native;

use crate::devices::{Inputs, cpu, inputs_of, on_every_device};
use crate::fixtures::{MiniLm, Paper, cosine, directory, largest_difference, read};

const MODEL: &str = "models/all-MiniLM-L6-v2";
const CONVERTED: &str = "models/all-MiniLM-L6-v2-q8";
const HIDDEN: usize = 384;

on_every_device!(
    float32_gives_the_vectors_of_sentence_transformers,
    quantized_weights_stay_within_their_fidelity_bars,
    an_embedding_does_not_depend_on_its_batch_mates,
);

async fn load<B: Backend>(model: &str, format: Format, backend: B) -> Specter<B> {
    let options = LoadOptions { format, max_length: Some(512), ..LoadOptions::default() };
    Specter::load(&directory(model), options, backend, |_, _| Ok(())).await.expect("the model loads")
}

fn goldens() -> (MiniLm, Vec<Document>) {
    let goldens: MiniLm = read("tests/fixtures/minilm/goldens.json");
    let documents = goldens.papers.iter().map(Paper::document).collect();
    (goldens, documents)
}

#[test]
fn every_token_id_is_that_of_the_reference_tokenizer() {
    let (goldens, documents) = goldens();
    let read_tokenizer = |file: &str| {
        let path = |name: &str| crate::fixtures::path(&format!("{MODEL}/{name}"));
        let files = [file, "tokenizer_config.json"]
            .map(|name| (name.to_owned(), std::fs::read(path(name)).expect("the model is there")));
        let folder = specter_web::folder::MemoryFolder::new("minilm", files);
        pollster::block_on(specter_web::text::Tokenizer::from_folder(&folder, 512, 30_522, Some(512)))
            .expect(file)
    };
    for file in ["tokenizer.json", "vocab.txt"] {
        let tokenizer = read_tokenizer(file);
        for (document, ids) in documents.iter().zip(&goldens.input_ids) {
            let text = document.text(&Template::default(), tokenizer.separator());
            assert_eq!(&tokenizer.encode(&text).expect("it encodes"), ids, "{file}: {document:?}");
        }
    }
}

async fn float32_gives_the_vectors_of_sentence_transformers<B: Backend>(backend: impl Fn() -> B) {
    let (goldens, documents) = goldens();
    let mut specter = load(MODEL, Format::F32, backend()).await;
    assert_eq!(specter.defaults().pooling, Pooling::Mean);
    assert!(specter.defaults().normalize);
    let found = specter.embed(&documents, &EmbedOptions::default(), |_, _| Ok(())).await.expect("it embeds");
    let mut worst = 0.0_f32;
    for (found, expected) in found.data.chunks(HIDDEN).zip(&goldens.embeddings) {
        worst = worst.max(largest_difference(found, expected));
    }
    assert!(worst <= 1e-5, "the largest difference is {worst}");

    let options =
        EmbedOptions { pooling: Some(Pooling::Cls), normalize: Some(false), ..EmbedOptions::default() };
    let found = specter.embed(&documents, &options, |_, _| Ok(())).await.expect("it embeds");
    for (found, expected) in found.data.chunks(HIDDEN).zip(&goldens.cls) {
        let difference = largest_difference(found, expected);
        assert!(difference <= 1e-4, "[CLS] differs by {difference}");
        worst = worst.max(difference);
    }
    println!("largest difference {worst:e}");
}

/// Embeds with quantized weights: the engine, and the mean cosine to the vectors of sentence-transformers.
async fn fidelity<B: Backend>(format: Format, backend: B) -> (Specter<B>, f32) {
    let (goldens, documents) = goldens();
    let mut specter = load(MODEL, format, backend).await;
    let found = specter.embed(&documents, &EmbedOptions::default(), |_, _| Ok(())).await.expect("it embeds");
    let pairs = found.data.chunks(HIDDEN).zip(&goldens.embeddings);
    let sum: f32 = pairs.map(|(found, expected)| cosine(found, expected)).sum();
    (specter, sum / documents.len() as f32)
}

async fn quantized_weights_stay_within_their_fidelity_bars<B: Backend>(backend: impl Fn() -> B) {
    for (format, bar) in [(Format::Q8, 0.9995), (Format::Q4, 0.975)] {
        let (specter, mean) = fidelity(format, backend()).await;
        println!("{}: mean cosine {mean}", format.name());
        let rounded = format == Format::Q8 && inputs_of(specter.backend()) == Inputs::Bytes;
        let bar = if rounded { 0.999 } else { bar };
        assert!(mean >= bar, "the mean cosine to float32 is {mean} with {}", format.name());
    }
}

async fn an_embedding_does_not_depend_on_its_batch_mates<B: Backend>(backend: impl Fn() -> B) {
    // Short and long ones together.
    let documents = &goldens().1[..10];
    let mut specter = load(CONVERTED, Format::Q8, backend()).await;
    let options = EmbedOptions::default();
    let together = specter.embed(documents, &options, |_, _| Ok(())).await.expect("it embeds");
    for (document, together) in documents.iter().zip(together.data.chunks(HIDDEN)) {
        let alone = specter.embed(std::slice::from_ref(document), &options, |_, _| Ok(())).await;
        let difference = largest_difference(&alone.expect("it embeds").data, together);
        assert!(difference <= 1e-5, "{document:?}: differs by {difference}");
    }
}

/// Every value: two loads of the same weights run the same kernels, as long as none are chosen by measuring.
fn a_converted_folder_gives_what_quantizing_while_loading_gives<B: Backend>(backend: impl Fn() -> B) {
    let documents = &goldens().1[..4];
    let [converted, quantized] = [CONVERTED, MODEL].map(|model| {
        let mut specter = pollster::block_on(load(model, Format::Q8, backend()));
        let options = EmbedOptions::default();
        pollster::block_on(specter.embed(documents, &options, |_, _| Ok(()))).expect("it embeds")
    });
    assert_eq!(converted.data, quantized.data);
}

#[test]
fn a_converted_folder_gives_the_reference_what_quantizing_while_loading_gives() {
    a_converted_folder_gives_what_quantizing_while_loading_gives(Reference::new);
}

#[test]
fn a_converted_folder_gives_the_cpu_what_quantizing_while_loading_gives() {
    for instructions in Native::instructions() {
        a_converted_folder_gives_what_quantizing_while_loading_gives(|| cpu(instructions));
    }
}

#[test]
fn a_converted_folder_gives_the_gpu_what_quantizing_while_loading_gives() {
    a_converted_folder_gives_what_quantizing_while_loading_gives(|| {
        let options = GpuOptions { tuning: Tuning::Usual, ..GpuOptions::native() };
        pollster::block_on(Gpu::new(options)).expect("there is a GPU to test on")
    });
}

#[test]
fn rounding_activations_to_int8_keeps_the_fidelity_bars() {
    for (format, bar) in [(Format::Q8, 0.999), (Format::Q4, 0.975)] {
        let options = GpuOptions { tuning: Tuning::Pinned(LinearKernel::Dot), ..GpuOptions::native() };
        let gpu = pollster::block_on(Gpu::new(options)).expect("there is a GPU to test on");
        let (specter, mean) = pollster::block_on(fidelity(format, gpu));
        println!("{}: mean cosine {mean} with int8 activations", format.name());
        assert!(mean >= bar, "the mean cosine is {mean} with {}", format.name());
        let kernel = format!("linear_dot_{}", format.name());
        assert!(specter.backend().kernels().iter().any(|ran| ran.name == kernel), "{kernel} did not run");
    }
}
