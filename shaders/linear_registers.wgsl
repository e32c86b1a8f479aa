// activation(x Wᵀ + b) + residual, without workgroup memory.
// input: (rows, K / 4)
//
// Each invocation keeps a tile of 8 rows × 4 outputs in registers and walks along K. The caches serve the reuse, since
// the invocations of a workgroup share their rows and their weights.

const ROWS: u32 = 8;

@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;

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
        let scale = group_scales(weight_row * groups + group);
        for (var step = 0u; step < GROUP_TILES; step++) {
            let w = weight_tile(weight, scale);
            sum0 += input[x] * w;
            sum1 += input[x + inputs] * w;
            sum2 += input[x + 2 * inputs] * w;
            sum3 += input[x + 3 * inputs] * w;
            sum4 += input[x + 4 * inputs] * w;
            sum5 += input[x + 5 * inputs] * w;
            sum6 += input[x + 6 * inputs] * w;
            sum7 += input[x + 7 * inputs] * w;
            x += 1;
            weight += 1;
        }
    }
    store_rows(row, tile, sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7);
}
