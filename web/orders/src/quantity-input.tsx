/** How many: two buttons and a number that can be typed. A button at its end keeps the focus, and does nothing. */
import { ActionIcon, Group, Icon, TextInput } from '@purser/ui';

export function QuantityInput({ name, value, least = 1, onChange }: { name: string; value: number; least?: number; onChange: (value: number) => void }) {
  const type = (text: string) => {
    const number = Number(text);
    if (/^\d{1,2}$/.test(text) && number >= least) onChange(number);
  };
  return (
    <Group gap={4} wrap="nowrap">
      <ActionIcon variant="default" size={34} aria-label={`One ${name} less`} {...atEnd(value <= least)} onClick={() => value > least && onChange(value - 1)}><Icon name={value === 1 && least === 0 ? 'trash' : 'minus'} size={15} /></ActionIcon>
      <TextInput size="sm" w={52} inputMode="numeric" aria-label={`Quantity of ${name}`} value={String(value)} onChange={(event) => type(event.currentTarget.value)} styles={{ input: { textAlign: 'center' } }} />
      <ActionIcon variant="default" size={34} aria-label={`One ${name} more`} {...atEnd(value >= 99)} onClick={() => value < 99 && onChange(value + 1)}><Icon name="plus" size={15} /></ActionIcon>
    </Group>
  );
}

function atEnd(yes: boolean) {
  return yes ? { 'data-disabled': true, 'aria-disabled': true } : {};
}
