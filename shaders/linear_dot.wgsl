// activation(x Wᵀ + b) + residual, where both operands are int8 in groups of 32 and a product of four is one
// instruction, in tiles of 32 rows × 32 outputs that a workgroup brings into its own memory, a group at a time.
// input: (rows, K / 4 + K / 32) as `quantize.wgsl` writes it
//
// Each invocation keeps 4 rows × 4 outputs: sums of a group in integers, which are exact, and of groups in f32.

const ROWS: u32 = 32;
const TILES: u32 = 8;
// Vectors in a row of either operand: 8 and one more, so that transposing meets other memory banks.
const STRIDE: u32 = 9;

@group(0) @binding(1) var<storage, read> input: array<u32>;

// Words of four inputs of a group: (GROUP_TILES, 4 rows each) and (GROUP_TILES, 4 outputs each)
var<workgroup> xs: array<vec4<u32>, GROUP_TILES * STRIDE>;
var<workgroup> ws: array<vec4<u32>, GROUP_TILES * STRIDE>;

fn dots(x: u32, w: vec4<u32>) -> vec4<i32> {
    return vec4<i32>(
        dot4I8Packed(x, w.x),
        dot4I8Packed(x, w.y),
        dot4I8Packed(x, w.z),
        dot4I8Packed(x, w.w),
    );
}

@compute @workgroup_size(64)
fn main(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let inputs = params.inputs;
    let groups = inputs / GROUP_TILES;
    let stride = inputs + groups;
    let first_row = workgroup.y * ROWS;
    let first_tile = workgroup.x * TILES;
    let last_tile = params.output_tiles - 1;
    // Which vector of either operand this invocation brings: a word of four rows, or of four outputs.
    let brought = local / GROUP_TILES;
    let word = local % GROUP_TILES;
    let brought_row = params.first_weight_tile + min(first_tile + brought, last_tile);
    // What it multiplies: 4 rows and 4 outputs.
    let x_at = local / TILES;
    let w_at = local % TILES;
    let row = first_row + x_at * 4;
    let tile = min(first_tile + w_at, last_tile);
    let weight_row = params.first_weight_tile + tile;

    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var group = 0u; group < groups; group++) {
        let x = (first_row + brought * 4) * stride + group * GROUP_TILES + word;
        xs[word * STRIDE + brought] =
            vec4<u32>(input[x], input[x + stride], input[x + 2 * stride], input[x + 3 * stride]);
        ws[word * STRIDE + brought] = weight_words(brought_row * inputs + group * GROUP_TILES + word);
        workgroupBarrier();
        var part0 = vec4<i32>(0);
        var part1 = vec4<i32>(0);
        var part2 = vec4<i32>(0);
        var part3 = vec4<i32>(0);
        for (var step = 0u; step < GROUP_TILES; step++) {
            let x = xs[step * STRIDE + x_at];
            let w = ws[step * STRIDE + w_at];
            part0 += dots(x.x, w);
            part1 += dots(x.y, w);
            part2 += dots(x.z, w);
            part3 += dots(x.w, w);
        }
        workgroupBarrier();
        let scale = group_scales(weight_row * groups + group) * INTEGER;
        let x_scale = row * stride + inputs + group;
        sum0 += vec4<f32>(part0) * (scale * bitcast<f32>(input[x_scale]));
        sum1 += vec4<f32>(part1) * (scale * bitcast<f32>(input[x_scale + stride]));
        sum2 += vec4<f32>(part2) * (scale * bitcast<f32>(input[x_scale + 2 * stride]));
        sum3 += vec4<f32>(part3) * (scale * bitcast<f32>(input[x_scale + 3 * stride]));
    }

    if first_tile + w_at <= last_tile {
        let sums = array<vec4<f32>, 4>(sum0, sum1, sum2, sum3);
        for (var i = 0u; i < 4; i++) {
            store(row + i, tile, sums[i]);
        }
    }
}
