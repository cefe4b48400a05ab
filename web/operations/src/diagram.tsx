/** The system as a picture: boxes and lines, in motion where work flows. The tables below it say the same in words. */
import type { OperationsStatus } from '@purser/api';
import { layOut } from './diagram-layout';
import type { Box, Line } from './diagram-layout';

export const STATE_COLOURS: Record<string, string> = {
  up: 'var(--mantine-color-harbor-5)', degraded: 'var(--mantine-color-brass-5)', draining: 'var(--mantine-color-blue-5)', down: 'var(--mantine-color-red-6)',
};
const HEADINGS = [['Gateway', 0], ['Services', 245], ['Queues and topics', 540], ['Engines', 880]] as const;
const TOP = 34;

export function Diagram({ status }: { status: OperationsStatus }) {
  const { boxes, lines, height } = layOut(status);
  return (
    <svg viewBox={`-4 0 1068 ${height + TOP + 6}`} role="img" aria-label="The system: gateway, services, queues and topics, engines" className="picture">
      <style>{'.flow{stroke-dasharray:5 7}@media (prefers-reduced-motion:no-preference){.flow{animation:flow 1s linear infinite}}@keyframes flow{to{stroke-dashoffset:-12}}'}</style>
      {HEADINGS.map(([text, x]) => <text key={text} x={x} y={16} fontSize="13" fontWeight="600" fill="var(--mantine-color-dimmed)">{text}</text>)}
      <g transform={`translate(0 ${TOP})`}>
        {lines.map((line) => <Path key={`${line.from.id} ${line.to.id}`} line={line} />)}
        {boxes.map((one) => <Node key={one.id} box={one} />)}
      </g>
    </svg>
  );
}

function Path({ line }: { line: Line }) {
  const x1 = line.from.x + line.from.width;
  const y1 = line.from.y + line.from.height / 2;
  const x2 = line.to.x;
  const y2 = line.to.y + line.to.height / 2;
  const bend = (x2 - x1) / 2;
  return (
    <path d={`M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`} fill="none" strokeWidth={line.busy ? 2 : 1.4}
      stroke={line.busy ? 'var(--mantine-color-harbor-5)' : 'var(--purser-line)'} className={line.busy ? 'flow' : undefined} />
  );
}

function Node({ box }: { box: Box }) {
  return (
    <g transform={`translate(${box.x} ${box.y})`}>
      <rect width={box.width} height={box.height} rx="11" fill="var(--purser-surface)" stroke={box.state === 'up' ? 'var(--purser-line)' : STATE_COLOURS[box.state]} strokeWidth="1.5" />
      <circle cx="17" cy="20" r="4.5" fill={STATE_COLOURS[box.state] ?? 'gray'} />
      <text x="30" y="24" fontSize="14" fontWeight="620" fill="var(--mantine-color-text)">{box.title}</text>
      <text x="30" y="42" fontSize="12.5" fill="var(--mantine-color-dimmed)" className="numeric">{box.text}</text>
    </g>
  );
}
