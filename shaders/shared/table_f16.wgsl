// An embedding table of f16, row-major.
// table: (vocabulary, H / 4)

@group(0) @binding(2) var<storage, read> table: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> table_scales: array<u32>;

fn table_value(at: u32) -> vec4<f32> {
    let words = table[at];
    return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}
