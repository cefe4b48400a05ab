/** How many: two buttons and a number that can be typed. */
import { ActionIcon, Group, Icon, TextInput } from '@purser/ui';

export function QuantityInput({ name, value, least = 1, onChange }: { name: string; value: number; least?: number; onChange: (value: number) => void }) {
  const type = (text: string) => {
    const number = Number(text);
    if (/^\d{1,2}$/.test(text) && number >= least) onChange(number);
  };
  return (
    <Group gap={4} wrap="nowrap">
      <ActionIcon variant="default" size={34} aria-label={`One ${name} less`} disabled={value <= least} onClick={() => onChange(value - 1)}><Icon name={value === 1 && least === 0 ? 'trash' : 'minus'} size={15} /></ActionIcon>
      <TextInput size="sm" w={52} inputMode="numeric" aria-label={`Quantity of ${name}`} value={String(value)} onChange={(event) => type(event.currentTarget.value)} styles={{ input: { textAlign: 'center' } }} />
      <ActionIcon variant="default" size={34} aria-label={`One ${name} more`} disabled={value >= 99} onClick={() => onChange(value + 1)}><Icon name="plus" size={15} /></ActionIcon>
    </Group>
  );
}
