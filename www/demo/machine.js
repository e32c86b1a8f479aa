/** What is told of the model and the device it runs on. */

import { bytes } from './numbers.js';
import { element, part } from './page.js';

/** @import { Info } from '../specter.js' */

/** @param {Info} info */
export function showMachine(info) {
  const { device, memory } = info;
  const name = device.adapter || device.vendor || 'Unnamed adapter';
  const facts = {
    Device: `${name}${device.software ? ' (software, runs on the CPU)' : ''}`,
    Chosen: device.reason,
    Interface: [device.kind === 'webgpu' ? 'WebGPU' : 'WebAssembly', device.backend].filter(Boolean).join(', '),
    Model: `${info.model}, ${info.architecture}, ${info.layers} layers`,
    Weights: `${info.dtype}, ${bytes(memory.weights)}`,
    'Memory for activations': bytes(memory.activations),
    Vectors: `${info.hiddenSize} components, ${info.pooling === 'mean' ? 'mean of all tokens' : 'first token'}`,
    'Longest text': `${info.maxLength} tokens`,
    [device.kind === 'webgpu' ? 'Optional features' : 'Instructions']: device.features.join(', ') || 'none',
    Engine: `specter-web ${info.version}`,
  };
  const machine = part('machine', HTMLElement);
  machine.replaceChildren(
    ...Object.entries(facts).map(([term, value]) => {
      const pair = document.createElement('div');
      pair.append(element('dt', '', term), element('dd', '', value));
      return pair;
    }),
  );
  machine.hidden = false;
  part('machine-empty', HTMLElement).hidden = true;
  part('kernels', HTMLElement).hidden = info.kernels.length === 0;
  part('kernel-rows', HTMLElement).replaceChildren(
    ...info.kernels.map(({ name, variant, dispatches }) => {
      const row = document.createElement('tr');
      row.append(element('td', '', name), element('td', '', variant), element('td', 'number', String(dispatches)));
      return row;
    }),
  );
}
