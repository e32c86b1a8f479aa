// Activation functions, numbered as `model::Activation::ALL`.

override ACTIVATION: u32 = 0;

// Abramowitz and Stegun 7.1.26; at most 1.5e-7 off.
fn erf(x: vec4<f32>) -> vec4<f32> {
    let t = 1.0 / (1.0 + 0.3275911 * abs(x));
    let polynomial =
        t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    return sign(x) * (1.0 - polynomial * exp(-x * x));
}

// Some drivers compute tanh by exponentials that overflow.
fn tanh_safe(x: vec4<f32>) -> vec4<f32> {
    return tanh(clamp(x, vec4<f32>(-10.0), vec4<f32>(10.0)));
}

// WGSL does not promise what becomes of an infinite exponential.
fn sigmoid(x: vec4<f32>) -> vec4<f32> {
    return 1.0 / (1.0 + exp(-clamp(x, vec4<f32>(-80.0), vec4<f32>(80.0))));
}

fn gelu(x: vec4<f32>) -> vec4<f32> {
    return 0.5 * x * (1.0 + erf(x * 0.70710678));
}

fn activate(x: vec4<f32>) -> vec4<f32> {
    let zero = vec4<f32>(0.0);
    switch ACTIVATION {
        case 1: { return gelu(x); }
        case 2: { return clamp(gelu(x), vec4<f32>(-10.0), vec4<f32>(10.0)); }
        case 3: { return 0.5 * x * (1.0 + tanh_safe(0.79788456 * (x + 0.044715 * x * x * x))); }
        case 4: { return x * sigmoid(1.702 * x); }
        case 5: { return max(x, zero); }
        case 6: { return clamp(x, zero, vec4<f32>(6.0)); }
        case 7: { let positive = max(x, zero); return positive * positive; }
        case 8: { return max(x, 0.01 * x); }
        case 9: { return x * sigmoid(x); }
        // ln(1 + eˣ) without overflow.
        case 10: { return x * tanh_safe(max(x, zero) + log(1.0 + exp(-abs(x)))); }
        case 11: { return 0.5 * (1.0 + erf((x - 0.707107) / (0.282095 * 1.41421356))); }
        case 12: { return tanh_safe(x); }
        case 13: { return sigmoid(x); }
        default: { return x; }
    }
}
