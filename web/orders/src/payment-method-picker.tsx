/** The sandbox's cards, each with what it will do. */
import { Group, Stack, Text } from '@purser/ui';
import { Radio } from '@purser/ui/pages';
import { PAYMENT_METHODS } from './rules';

export function PaymentMethodPicker({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <Radio.Group value={value} onChange={onChange} name="payment_method" aria-label="Payment method">
      <Stack gap={8}>
        {PAYMENT_METHODS.map((method) => (
          <Radio.Card key={method.value} value={method.value} radius="md" px="md" py="sm" aria-label={`${method.label}. ${method.hint}`}>
            <Group wrap="nowrap">
              <Radio.Indicator />
              <Stack gap={0}><Text fw={550}>{method.label}</Text><Text size="sm" c="dimmed">{method.hint}</Text></Stack>
            </Group>
          </Radio.Card>
        ))}
      </Stack>
    </Radio.Group>
  );
}
