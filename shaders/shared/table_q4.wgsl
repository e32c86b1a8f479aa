// An embedding table of q4, row-major: 8 quants a word, an f16 scale for each group of 32.
// table: (vocabulary, H / 8), table_scales: (vocabulary · H / 64), two scales a word

@group(0) @binding(2) var<storage, read> table: array<u32>;
@group(0) @binding(3) var<storage, read> table_scales: array<u32>;

fn table_value(at: u32) -> vec4<f32> {
    let levels = four_levels(table[at / 2] >> (at % 2 * 16));
    let group = at / 8;
    let pair = unpack2x16float(table_scales[group / 2]);
    return levels * (pair[group % 2] * LEVEL_UNIT);
}
