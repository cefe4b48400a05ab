/** A picture for a product that has none: drawn from its sku, the same every time. */
import { useId } from 'react';

const PALETTES: [string, string, string][] = [
  ['#0b726d', '#4db8b0', '#f7bc65'], ['#1d3557', '#5b8db8', '#f4a259'], ['#5a3e6b', '#a98bc0', '#f2cc8f'],
  ['#7a3b2e', '#d08c60', '#f1dca7'], ['#2d4a3e', '#7fb069', '#e6e6a8'], ['#3d405b', '#81b29a', '#e07a5f'],
];

function hash(text: string): number {
  let value = 2166136261;
  for (const char of text) value = Math.imul(value ^ char.codePointAt(0)!, 16777619);
  return value >>> 0;
}

export function ProductArt({ sku, height = 150 }: { sku: string; height?: number | string }) {
  const id = useId();
  const seed = hash(sku);
  const [deep, mid, light] = PALETTES[seed % PALETTES.length]!;
  return (
    <svg viewBox="0 0 240 150" preserveAspectRatio="xMidYMid slice" aria-hidden="true"
      style={{ display: 'block', width: '100%', height }}>
      <defs>
        <linearGradient id={id} x1="0" y1="0" x2="1" y2="1">
          <stop offset="0" stopColor={deep} /><stop offset="1" stopColor={mid} />
        </linearGradient>
      </defs>
      <rect width="240" height="150" fill={`url(#${id})`} />
      <Shape kind={(seed >>> 4) % 4} turn={(seed >>> 8) % 360} light={light} mid={mid} />
    </svg>
  );
}

function Shape({ kind, turn, light, mid }: { kind: number; turn: number; light: string; mid: string }) {
  const spin = `rotate(${turn} 120 75)`;
  if (kind === 0) {
    return <g transform={`translate(${(turn % 90) - 45} ${(turn % 50) - 25})`} fill="none" stroke={light} strokeWidth="7" opacity="0.9">{[14, 30, 46, 62].map((r) => <circle key={r} cx="120" cy="75" r={r} strokeOpacity={1 - r / 90} />)}</g>;
  }
  if (kind === 1) {
    return <g transform={spin}><circle cx="120" cy="75" r="46" fill={light} opacity="0.92" /><path d="M74 75a46 46 0 0 0 92 0Z" fill={mid} /></g>;
  }
  if (kind === 2) {
    return <g transform={spin}>{[0, 1, 2, 3].map((n) => <rect key={n} x={78 + n * 22} y={40 + n * 8} width="14" height={70 - n * 10} rx="7" fill={light} opacity={1 - n * 0.2} />)}</g>;
  }
  return <g transform={spin}><path d="M120 26 168 110H72Z" fill={light} opacity="0.9" /><circle cx="120" cy="98" r="30" fill={mid} opacity="0.9" /></g>;
}
