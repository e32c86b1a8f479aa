// Sums over the invocations that work on a row: the 64 of a workgroup.

const LANES: u32 = 64;
// How many rows a workgroup computes.
const ROWS: u32 = 1;

var<workgroup> partial_sums: array<f32, LANES>;

// The sum of everybody's `value`, for everybody. All invocations must come here together.
fn sum_of_lanes(local: u32, value: f32) -> f32 {
    partial_sums[local] = value;
    workgroupBarrier();
    for (var half = LANES / 2; half > 0; half /= 2) {
        if local < half {
            partial_sums[local] += partial_sums[local + half];
        }
        workgroupBarrier();
    }
    let sum = partial_sums[0];
    // Nobody may overwrite the sum before everybody has read it.
    workgroupBarrier();
    return sum;
}
