/** Whether the books balance, and what stands on which account. */
import { Card, ErrorState, Group, Skeleton, Title } from '@purser/ui';
import { Badge, DataTable, formatMoney } from '@purser/ui/pages';
import type { Column } from '@purser/ui/pages';
import { useLedger } from './requests';

type Account = NonNullable<ReturnType<typeof useLedger>['data']>['accounts'][number];

const COLUMNS: Column<Account>[] = [
  { title: 'Account', cell: (one) => one.account.replace(/_/g, ' ') },
  { title: 'Balance', numeric: true, cell: (one) => formatMoney(one.balance, one.currency) },
];

export function LedgerPanel() {
  const query = useLedger();
  if (query.isPending) return <Skeleton height={260} radius="lg" role="status" aria-label="Loading" />;
  if (query.data === undefined) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  const { balanced, accounts } = query.data;
  return (
    <Card padding={0}>
      <Group p="lg" pb="xs"><Title order={2}>Double-entry ledger</Title><Badge size="lg" tt="none" variant="filled" color={balanced ? 'harbor.7' : 'red.8'}>{balanced ? 'Balanced' : 'Out of balance'}</Badge></Group>
      <DataTable label="Accounts" columns={COLUMNS} rows={accounts} rowKey={(one) => `${one.account} ${one.currency}`} />
    </Card>
  );
}
