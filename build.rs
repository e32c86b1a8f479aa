//! Joins the shader files of each variant, validates the result, and writes what the GPU engine needs to know of it:
//! the source, the bindings and the layout of the parameters. A shader that does not validate fails the build at its
//! own file and line.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use naga::valid::Capabilities;
use naga::{AddressSpace, Module, ShaderStage, StorageAccess, TypeInner};

#[derive(serde::Deserialize)]
struct Variants {
    variant: BTreeMap<String, Vec<String>>,
}

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=shaders");
    println!("cargo::rerun-if-changed=build.rs");
    let folder = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("shaders");
    let variants: Variants = toml::from_str(&fs::read_to_string(folder.join("variants.toml"))?)?;

    let mut generated = String::new();
    let mut names = Vec::new();
    let mut texts = BTreeMap::new();
    let mut parameters = BTreeMap::new();
    for (name, files) in &variants.variant {
        let shader = Shader::read(name, &folder, files)?;
        let (module, needs) = shader.validate()?;
        let (layout, definition) = shader.parameters(&module)?;
        if parameters.insert(layout.clone(), definition.clone()).is_some_and(|other| other != definition) {
            return Err(format!("{layout} has two layouts").into());
        }
        shader.describe(&module, needs, &mut generated)?;
        texts.extend(shader.files.into_iter().map(|file| (file.constant(), file.without_comments())));
        names.push(name.to_uppercase());
    }
    for definition in parameters.values() {
        generated.push_str(definition);
    }
    for (constant, text) in &texts {
        writeln!(generated, "const {constant}: &str = {text:?};")?;
    }
    writeln!(generated, "/// Every shader.\npub const ALL: &[&Shader] = &[&{}];", names.join(", &"))?;
    fs::write(Path::new(&env::var("OUT_DIR")?).join("shaders.rs"), generated)?;
    Ok(())
}

/// A variant, joined from its files.
struct Shader {
    name: String,
    source: String,
    files: Vec<File>,
}

/// A file of `shaders/`.
struct File {
    /// Inside the folder.
    name: String,
    path: PathBuf,
    text: String,
}

impl File {
    /// What its text is called in the generated code.
    fn constant(&self) -> String {
        self.name.trim_end_matches(".wgsl").replace('/', "_").to_uppercase() + "_WGSL"
    }

    /// The text as it is shipped: comments and indentation are for readers of the file, not for the download.
    fn without_comments(&self) -> String {
        let lines = self.text.lines().map(str::trim_start);
        let lines = lines.filter(|line| !line.starts_with("//") && !line.is_empty());
        lines.fold(String::new(), |text, line| text + line + "\n")
    }
}

/// What WebGPU offers only on some devices: how a shader asks naga for it, what it is called here, and there. naga knows
/// the operations of subgroups, but not that a browser wants them enabled.
const OPTIONAL: [(&str, &str, Capabilities); 2] = [
    ("enable f16;", "Optional::F16", Capabilities::SHADER_FLOAT16),
    ("", "Optional::Subgroups", Capabilities::SUBGROUP),
];

impl Shader {
    fn read(name: &str, folder: &Path, files: &[String]) -> Result<Self, Box<dyn Error>> {
        let mut shader = Self { name: name.to_owned(), source: String::new(), files: Vec::new() };
        for name in files {
            let path = folder.join(name);
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            shader.source.push_str(&text);
            shader.files.push(File { name: name.clone(), path, text });
        }
        Ok(shader)
    }

    /// The file and line that a line of the joined source came from.
    fn origin(&self, line: u32) -> String {
        let mut rest = line as usize;
        for file in &self.files {
            let lines = file.text.lines().count();
            if rest <= lines {
                return format!("{}:{rest}", file.path.display());
            }
            rest -= lines;
        }
        self.name.clone()
    }

    /// The module, and what it cannot do without.
    fn validate(&self) -> Result<(Module, Option<&'static str>), Box<dyn Error>> {
        let plain = self.validate_as(&self.source, Capabilities::empty());
        let Err(error) = plain else { return Ok((plain?, None)) };
        for (enable, optional, capability) in OPTIONAL {
            if let Ok(module) = self.validate_as(&format!("{enable}{}", self.source), capability) {
                return Ok((module, Some(optional)));
            }
        }
        Err(error)
    }

    fn validate_as(&self, source: &str, optional: Capabilities) -> Result<Module, Box<dyn Error>> {
        let place = |line: Option<u32>| line.map_or(self.name.clone(), |line| self.origin(line));
        let module = naga::front::wgsl::parse_str(source).map_err(|error| {
            let line = error.location(source).map(|location| location.line_number);
            format!("{}: {}", place(line), error.emit_to_string(source))
        })?;
        let mut validator = naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            // `unpack2x16float` is in every WebGPU; naga counts it as optional.
            Capabilities::SHADER_FLOAT16_IN_FLOAT32 | optional,
        );
        validator.validate(&module).map_err(|error| {
            let line = error.location(source).map(|location| location.line_number);
            format!("{}: {}", place(line), error.emit_to_string(source))
        })?;
        Ok(module)
    }

    /// The parameters' type as a Rust struct of the same layout.
    fn parameters(&self, module: &Module) -> Result<(String, String), Box<dyn Error>> {
        let uniform = module
            .global_variables
            .iter()
            .find(|(_, variable)| variable.space == AddressSpace::Uniform)
            .ok_or_else(|| format!("{} has no uniform parameters", self.name))?;
        let ty = &module.types[uniform.1.ty];
        let (Some(name), TypeInner::Struct { members, .. }) = (&ty.name, &ty.inner) else {
            return Err(format!("{}: its parameters are not a struct", self.name).into());
        };
        let mut definition = format!(
            "/// Parameters as the shader declares them.\n#[repr(C)]\n\
             #[derive(Clone, Copy, Debug, bytemuck::Pod, bytemuck::Zeroable)]\n\
             #[expect(missing_docs, reason = \"the shader says what each field means\")]\n\
             pub struct {name} {{\n"
        );
        for (index, member) in members.iter().enumerate() {
            let TypeInner::Scalar(scalar) = module.types[member.ty].inner else {
                return Err(format!("{name}: only scalars have the same layout in Rust and WGSL").into());
            };
            let ty = match scalar.kind {
                naga::ScalarKind::Uint => "u32",
                naga::ScalarKind::Sint => "i32",
                naga::ScalarKind::Float => "f32",
                other => return Err(format!("{name}: a parameter is {other:?}").into()),
            };
            if scalar.width != 4 || member.offset as usize != index * 4 {
                return Err(format!("{name}: parameters must be 4 bytes each, without gaps").into());
            }
            writeln!(definition, "    pub {}: {ty},", member.name.as_deref().unwrap_or("unnamed"))?;
        }
        definition.push_str("}\n");
        Ok((name.clone(), definition))
    }

    /// Writes the constant that describes this shader.
    fn describe(&self, module: &Module, needs: Option<&str>, out: &mut String) -> Result<(), Box<dyn Error>> {
        let mut bindings = BTreeMap::new();
        for (_, variable) in module.global_variables.iter() {
            let Some(binding) = &variable.binding else { continue };
            let access = match variable.space {
                AddressSpace::Uniform => "Parameters",
                AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => "Output",
                AddressSpace::Storage { .. } => "Input",
                _ => return Err(format!("{}: a binding of another kind", self.name).into()),
            };
            bindings.insert(binding.binding, access);
        }
        // Callers list buffers in this order: parameters, inputs, one output.
        let order: Vec<&str> = bindings.values().copied().collect();
        let last = order.len() - 1;
        let expected = |index: usize| match index {
            0 => "Parameters",
            index if index == last => "Output",
            _ => "Input",
        };
        let in_order = bindings.keys().enumerate().all(|(index, &binding)| index as u32 == binding)
            && order.iter().enumerate().all(|(index, &access)| access == expected(index));
        if !in_order {
            return Err(
                format!("{}: bindings are not parameters, inputs, output: {order:?}", self.name).into()
            );
        }
        if !module
            .entry_points
            .iter()
            .any(|entry| entry.stage == ShaderStage::Compute && entry.name == "main")
        {
            return Err(format!("{} has no compute entry point `main`", self.name).into());
        }
        let names: Vec<&str> = self.files.iter().map(|file| file.name.as_str()).collect();
        let texts: Vec<String> = self.files.iter().map(File::constant).collect();
        writeln!(
            out,
            "/// `{}`\npub const {}: Shader = Shader {{\n    name: {:?},\n    inputs: {},\n    needs: {},\n    \
             parts: &[{}],\n}};",
            names.join("`, `"),
            self.name.to_uppercase(),
            self.name,
            order.len() - 2,
            needs.map_or("None".to_owned(), |needs| format!("Some({needs})")),
            texts.join(", "),
        )?;
        Ok(())
    }
}
