// Sums over the 64 invocations of a workgroup.

const WORKGROUP: u32 = 64;

var<workgroup> partial_sums: array<f32, WORKGROUP>;

// The sum of everybody's `value`, for everybody. All invocations must come here together.
fn workgroup_sum(local: u32, value: f32) -> f32 {
    partial_sums[local] = value;
    workgroupBarrier();
    for (var half = WORKGROUP / 2; half > 0; half /= 2) {
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
