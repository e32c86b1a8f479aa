// An embedding table of q8, row-major: 4 int8 a word, an f16 scale for each group of 32.
// table: (vocabulary, H / 4), table_scales: (vocabulary · H / 64), two scales a word

@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read> table_scales: array<u32>;

fn table_value(at: u32) -> vec4<f32> {
    let quants = bitcast<vec4<i32>>(vec4<u32>(table[at]) << vec4<u32>(24, 16, 8, 0)) >> vec4<u32>(24);
    let group = at / 8;
    let pair = unpack2x16float(table_scales[group / 2]);
    return vec4<f32>(quants) * pair[group % 2];
}
