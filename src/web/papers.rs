//! Papers, as JavaScript writes them.

use js_sys::{Array, Reflect};
use wasm_bindgen::JsValue;

use super::page::source_error;
use crate::error::{Error, Result};
use crate::text::Document;

/// All of them as documents.
pub(super) fn documents(papers: &Array) -> Result<Vec<Document>> {
    papers.iter().enumerate().map(|(index, paper)| document(index, &paper)).collect()
}

/// `papers[index]` as a document.
fn document(index: usize, paper: &JsValue) -> Result<Document> {
    let invalid = |problem: String| Error::InvalidInput { problem };
    if let Some(text) = paper.as_string() {
        return Ok(Document::Text(text));
    }
    if !paper.is_object() || Array::is_array(paper) {
        let found = type_name(paper);
        return Err(invalid(format!("papers[{index}] is {found}; give a string or {{ title, abstract }}")));
    }
    let part = |key: &str| -> Result<Option<String>> {
        let value = Reflect::get(paper, &key.into()).map_err(|js| source_error(&js))?;
        if value.is_null() || value.is_undefined() {
            return Ok(None);
        }
        let found = type_name(&value);
        let wrong = || invalid(format!("papers[{index}].{key} is {found}; give a string"));
        value.as_string().map(Some).ok_or_else(wrong)
    };
    Document::paper(part("title")?, part("abstract")?).map_err(|_| {
        invalid(format!("papers[{index}] has neither a title nor an abstract; give it one of the two"))
    })
}

fn type_name(value: &JsValue) -> String {
    if value.is_null() {
        "null".to_owned()
    } else if Array::is_array(value) {
        "an array".to_owned()
    } else {
        let name = value.js_typeof().as_string().unwrap_or_default();
        match name.as_str() {
            "undefined" => name,
            "object" => "an object".to_owned(),
            _ => format!("a {name}"),
        }
    }
}
