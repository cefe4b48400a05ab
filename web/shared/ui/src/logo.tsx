/** The name, with a coin that is also a porthole. */
import { Group, Text } from '@mantine/core';

export function Logo() {
  return (
    <Group gap={10} wrap="nowrap">
      <svg width={28} height={28} viewBox="0 0 28 28" aria-hidden="true">
        <circle cx={14} cy={14} r={13} fill="var(--mantine-color-harbor-7)" />
        <circle cx={14} cy={14} r={8.5} fill="none" stroke="#fff" strokeOpacity={0.9} strokeWidth={1.6} />
        <path d="M7.6 16.3c2.1-1.9 4.2-1.9 6.4 0s4.3 1.9 6.4 0" fill="none" stroke="#f7bc65" strokeWidth={2} strokeLinecap="round" />
      </svg>
      <Text component="span" className="logo-word" fw={720} fz="lg" style={{ letterSpacing: '-0.02em' }}>Purser</Text>
    </Group>
  );
}
