/** Whether the books balance, and what stands on which account. */
import { Badge, Card, ErrorState, formatMoney, Group, Skeleton, Stack, Table, Title } from '@purser/ui';
import { useLedger } from './requests';

export function LedgerPanel() {
  const query = useLedger();
  if (query.isPending) return <Skeleton height={260} radius="lg" role="status" aria-label="Loading" />;
  if (query.data === undefined) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  const { balanced, accounts } = query.data;
  return (
    <Card>
      <Stack>
        <Group><Title order={2}>Double-entry ledger</Title><Badge size="lg" tt="none" variant="filled" color={balanced ? 'harbor.7' : 'red.8'}>{balanced ? 'Balanced' : 'Out of balance'}</Badge></Group>
        <Table>
          <Table.Thead><Table.Tr><Table.Th>Account</Table.Th><Table.Th ta="right">Balance</Table.Th></Table.Tr></Table.Thead>
          <Table.Tbody>
            {accounts.map((one) => <Table.Tr key={`${one.account} ${one.currency}`}><Table.Td>{one.account.replace(/_/g, ' ')}</Table.Td><Table.Td ta="right" className="numeric">{formatMoney(one.balance, one.currency)}</Table.Td></Table.Tr>)}
          </Table.Tbody>
        </Table>
      </Stack>
    </Card>
  );
}
