// What every kernel of a dense layer is told, and what it does with its sums: activation(x Wᵀ + b) + residual.
// bias: (N / 4), residual, output: (rows, outputs / 4)
// Weights whose outputs are in several formats take a dispatch for each format, side by side in the output.
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
    // Not constants: so all dense layers of a network run the same pipeline, and compiling one takes as long as many runs.
    is_activated: u32,
    has_residual: u32,
}

// Groups of 32 inputs share a scale: 8 tiles.
const GROUP_TILES: u32 = 8;

@group(0) @binding(0) var<uniform> params: LinearParams;
@group(0) @binding(4) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> residual: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> output: array<vec4<f32>>;

fn store(row: u32, tile: u32, sum: vec4<f32>) {
    let at = row * params.row_tiles + params.first_row_tile + tile;
    var y = sum + bias[params.first_bias_tile + tile];
    if params.is_activated != 0 {
        y = activate(y);
    }
    if params.has_residual != 0 {
        y += residual[at];
    }
    output[at] = y;
}

// 8 rows of a tile of outputs.
fn store_rows(
    row: u32,
    tile: u32,
    sum0: vec4<f32>,
    sum1: vec4<f32>,
    sum2: vec4<f32>,
    sum3: vec4<f32>,
    sum4: vec4<f32>,
    sum5: vec4<f32>,
    sum6: vec4<f32>,
    sum7: vec4<f32>,
) {
    // Written out, the activation is compiled eight times over, which takes a software adapter longer than many runs.
    var sums = array<vec4<f32>, 8>(sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7);
    for (var i = 0u; i < 8; i++) {
        store(row + i, tile, sums[i]);
    }
}
