// activation(x Wᵀ + b) + residual, where both operands are int8 in groups of 32 and a product of four is one
// instruction. Weights are q8 in tiles of 4 outputs × 4 inputs; a tile is 1 vector of 4 words, one an output.
// input: (rows, K / 4 + K / 32) as `quantize.wgsl` writes it, weights: (N / 4, K / 4), scales: (N / 4, K / 32)
//
// Each invocation keeps a tile of 4 rows × 4 outputs: sums of a group in integers, which are exact, and of groups in
// f32.

const ROWS: u32 = 4;

@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read> scales: array<vec2<u32>>;

fn dots(x: u32, w: vec4<u32>) -> vec4<i32> {
    return vec4<i32>(
        dot4I8Packed(x, w.x),
        dot4I8Packed(x, w.y),
        dot4I8Packed(x, w.z),
        dot4I8Packed(x, w.w),
    );
}

@compute @workgroup_size(16, 4)
fn main(@builtin(global_invocation_id) invocation: vec3<u32>) {
    let tile = invocation.x;
    let row = invocation.y * ROWS;
    if tile >= params.output_tiles || row >= params.rows {
        return;
    }
    let inputs = params.inputs;
    let groups = inputs / GROUP_TILES;
    let stride = inputs + groups;
    let weight_row = params.first_weight_tile + tile;

    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    var x = row * stride;
    var x_scale = x + inputs;
    var weight = weight_row * inputs;
    for (var group = 0u; group < groups; group++) {
        var part0 = vec4<i32>(0);
        var part1 = vec4<i32>(0);
        var part2 = vec4<i32>(0);
        var part3 = vec4<i32>(0);
        for (var step = 0u; step < GROUP_TILES; step++) {
            let w = weights[weight];
            part0 += dots(input[x], w);
            part1 += dots(input[x + stride], w);
            part2 += dots(input[x + 2 * stride], w);
            part3 += dots(input[x + 3 * stride], w);
            x += 1;
            weight += 1;
        }
        let pair = scales[weight_row * groups + group];
        let scale = vec4<f32>(unpack2x16float(pair.x), unpack2x16float(pair.y));
        sum0 += vec4<f32>(part0) * (scale * bitcast<f32>(input[x_scale]));
        sum1 += vec4<f32>(part1) * (scale * bitcast<f32>(input[x_scale + stride]));
        sum2 += vec4<f32>(part2) * (scale * bitcast<f32>(input[x_scale + 2 * stride]));
        sum3 += vec4<f32>(part3) * (scale * bitcast<f32>(input[x_scale + 3 * stride]));
        x_scale += 1;
    }
    store(row, tile, sum0);
    store(row + 1, tile, sum1);
    store(row + 2, tile, sum2);
    store(row + 3, tile, sum3);
}
