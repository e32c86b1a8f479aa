// An embedding table of f32, row-major.
// table: (vocabulary, H / 4)

@group(0) @binding(2) var<storage, read> table: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> table_scales: array<u32>;

fn table_value(at: u32) -> vec4<f32> {
    return table[at];
}
