// activation(x Wᵀ + b) + residual, in tiles of 32 rows × 32 outputs that a workgroup brings into its own memory: four times
// as many workgroups as in `linear_tiles.wgsl`, which a few hundred rows need to fill a GPU.
// input: (rows, K / 4)
//
// Each invocation keeps 4 rows × 4 outputs in registers. Both operands lie transposed in workgroup memory, so that a
// step along K reads a vector of four rows and one of four outputs, and multiplies them 16 times.

const ROWS: u32 = 32;
const TILES: u32 = 8;
const INPUT_TILES: u32 = 8;
const INPUTS: u32 = 32;
// Vectors in a row of either operand: 8 and one more, so that transposing meets other memory banks.
const STRIDE: u32 = 9;

@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;

// (INPUTS, 4 rows each) and (INPUTS, 4 outputs each)
var<workgroup> xs: array<vec4<f32>, INPUTS * STRIDE>;
var<workgroup> ws: array<vec4<f32>, INPUTS * STRIDE>;

@compute @workgroup_size(64)
fn main(
    @builtin(local_invocation_index) local: u32,
    @builtin(workgroup_id) workgroup: vec3<u32>,
) {
    let inputs = params.inputs;
    let groups = inputs / GROUP_TILES;
    let first_row = workgroup.y * ROWS;
    let first_tile = workgroup.x * TILES;
    let last_tile = params.output_tiles - 1;
    // Which tile of either operand this invocation brings: four rows or outputs, and four inputs of them.
    let brought = local / INPUT_TILES;
    let brought_inputs = local % INPUT_TILES;
    let brought_row = params.first_weight_tile + min(first_tile + brought, last_tile);
    // What it multiplies: 4 rows and 4 outputs.
    let x_at = local / TILES;
    let w_at = local % TILES;

    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var step = 0u; step < inputs; step += INPUT_TILES) {
        let scale = group_scales(brought_row * groups + step / GROUP_TILES);
        let weights = transpose(weight_tile(brought_row * inputs + step + brought_inputs, scale));
        let x = (first_row + brought * 4) * inputs + step + brought_inputs;
        let rows = transpose(mat4x4<f32>(
            input[x],
            input[x + inputs],
            input[x + 2 * inputs],
            input[x + 3 * inputs],
        ));
        for (var i = 0u; i < 4; i++) {
            ws[(brought_inputs * 4 + i) * STRIDE + brought] = weights[i];
            xs[(brought_inputs * 4 + i) * STRIDE + brought] = rows[i];
        }
        workgroupBarrier();
        for (var k = 0u; k < INPUTS; k++) {
            let x = xs[k * STRIDE + x_at];
            let w = ws[k * STRIDE + w_at];
            sum0 += w * x.x;
            sum1 += w * x.y;
            sum2 += w * x.z;
            sum3 += w * x.w;
        }
        workgroupBarrier();
    }

    let tile = first_tile + w_at;
    if tile <= last_tile {
        let sums = array<vec4<f32>, 4>(sum0, sum1, sum2, sum3);
        for (var i = 0u; i < 4; i++) {
            store(first_row + x_at * 4 + i, tile, sums[i]);
        }
    }
}
