// activation(x Wᵀ + b) + residual.
// input: (rows, K / 4), bias: (N / 4), residual, output: (rows, outputs / 4)
// Weights whose outputs are in several formats take a dispatch for each format, side by side in the output.
//
// Each invocation keeps a tile of 8 rows × 4 outputs in registers and walks along K without workgroup memory: on
// software adapters that is several times faster than staging tiles, and on GPUs the caches serve the reuse, since
// the invocations of a workgroup share their rows and their weights.
// Rows behind the last one are computed too; buffers have room for whole tiles, and nobody reads them.

struct LinearParams {
    // K / 4
    inputs: u32,
    // Tiles of four outputs that are computed, and the first of them among the weights and among the biases.
    output_tiles: u32,
    first_weight_tile: u32,
    first_bias_tile: u32,
    // Tiles in a row of the output, and where in it the first one goes.
    row_tiles: u32,
    first_row_tile: u32,
    rows: u32,
}

override HAS_RESIDUAL: bool = false;

const ROWS: u32 = 8;
// Groups of 32 inputs share a scale: 8 tiles.
const GROUP_TILES: u32 = 8;

@group(0) @binding(0) var<uniform> params: LinearParams;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> output: array<vec4<f32>>;

fn store(row: u32, tile: u32, sum: vec4<f32>) {
    let at = row * params.row_tiles + params.first_row_tile + tile;
    var y = activate(sum + bias[params.first_bias_tile + tile]);
    if HAS_RESIDUAL {
        y += residual[at];
    }
    output[at] = y;
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
    let weight_row = params.first_weight_tile + tile;

    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    var sum4 = vec4<f32>(0.0);
    var sum5 = vec4<f32>(0.0);
    var sum6 = vec4<f32>(0.0);
    var sum7 = vec4<f32>(0.0);
    var x = row * inputs;
    var weight = weight_row * inputs;
    for (var group = 0u; group < groups; group++) {
        var part0 = vec4<f32>(0.0);
        var part1 = vec4<f32>(0.0);
        var part2 = vec4<f32>(0.0);
        var part3 = vec4<f32>(0.0);
        var part4 = vec4<f32>(0.0);
        var part5 = vec4<f32>(0.0);
        var part6 = vec4<f32>(0.0);
        var part7 = vec4<f32>(0.0);
        for (var step = 0u; step < GROUP_TILES; step++) {
            let w = weight_tile(weight);
            part0 += input[x] * w;
            part1 += input[x + inputs] * w;
            part2 += input[x + 2 * inputs] * w;
            part3 += input[x + 3 * inputs] * w;
            part4 += input[x + 4 * inputs] * w;
            part5 += input[x + 5 * inputs] * w;
            part6 += input[x + 6 * inputs] * w;
            part7 += input[x + 7 * inputs] * w;
            x += 1;
            weight += 1;
        }
        if HAS_SCALES {
            let scale = group_scales(weight_row * groups + group);
            part0 *= scale;
            part1 *= scale;
            part2 *= scale;
            part3 *= scale;
            part4 *= scale;
            part5 *= scale;
            part6 *= scale;
            part7 *= scale;
        }
        sum0 += part0;
        sum1 += part1;
        sum2 += part2;
        sum3 += part3;
        sum4 += part4;
        sum5 += part5;
        sum6 += part6;
        sum7 += part7;
    }
    store(row, tile, sum0);
    store(row + 1, tile, sum1);
    store(row + 2, tile, sum2);
    store(row + 3, tile, sum3);
    store(row + 4, tile, sum4);
    store(row + 5, tile, sum5);
    store(row + 6, tile, sum6);
    store(row + 7, tile, sum7);
}
