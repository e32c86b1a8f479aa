// One vector a document, optionally scaled to length 1; one document a workgroup.
// input: (T, H / 4), or (D, H / 4) where rows are documents already; output: (D, H / 4)

struct PoolParams {
    hidden: u32,
}

// Whether all tokens are averaged; the first one stands for the document otherwise.
override MEAN: bool = false;
override NORMALIZE: bool = false;
override ROWS_ARE_DOCUMENTS: bool = false;

// The length below which a vector is not divided, as in torch.nn.functional.normalize.
const SMALLEST_LENGTH: f32 = 1e-12;

@group(0) @binding(0) var<uniform> params: PoolParams;
@group(0) @binding(1) var<storage, read> input: array<vec4<f32>>;
// Where each document starts, and where the last one ends: (D + 1)
@group(0) @binding(2) var<storage, read> starts: array<u32>;
@group(0) @binding(3) var<storage, read_write> output: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let document = workgroup.x;
    let columns = params.hidden / 4;
    var first = document;
    if !ROWS_ARE_DOCUMENTS {
        first = starts[document];
    }
    var end = first + 1;
    if MEAN && !ROWS_ARE_DOCUMENTS {
        end = starts[document + 1];
    }

    var squares = 0.0;
    for (var column = local; column < columns; column += LANES) {
        var sum = vec4<f32>(0.0);
        for (var row = first; row < end; row++) {
            sum += input[row * columns + column];
        }
        let mean = sum / f32(end - first);
        squares += dot(mean, mean);
        output[document * columns + column] = mean;
    }
    if NORMALIZE {
        let scale = 1.0 / max(sqrt(sum_of_lanes(local, squares)), SMALLEST_LENGTH);
        for (var column = local; column < columns; column += LANES) {
            output[document * columns + column] *= scale;
        }
    }
}
