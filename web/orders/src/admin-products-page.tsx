/** The catalogue as its keepers see it. */
import { useState } from 'react';
import type { Product } from '@purser/api';
import { Button, Card, EmptyState, ErrorState, Group, Icon, Page, PageHeader, Skeleton, Stack, Text } from '@purser/ui';
import { DataTable, formatMoney, formatNumber, LoadMore, Modal } from '@purser/ui/pages';
import type { Column } from '@purser/ui/pages';
import { LineThumb } from './line-thumb';
import { ProductForm } from './product-form';
import { useProducts } from './requests';

export function AdminProductsPage() {
  const pages = useProducts();
  const [open, setOpen] = useState<Product | 'new' | null>(null);
  return (
    <Page>
      <PageHeader title="Products" text="Prices and stock; orders take theirs from here." actions={<Button leftSection={<Icon name="plus" />} onClick={() => setOpen('new')}>Add a product</Button>} />
      <Card padding={0}><Body pages={pages} onEdit={setOpen} /></Card>
      <LoadMore pages={pages} />
      <Modal opened={open !== null} onClose={() => setOpen(null)} title={<Text fw={650}>{open === 'new' ? 'Add a product' : 'Change a product'}</Text>} closeButtonProps={{ 'aria-label': 'Close' }}>
        {open !== null && <ProductForm product={open === 'new' ? null : open} onDone={() => setOpen(null)} />}
      </Modal>
    </Page>
  );
}

function Body({ pages, onEdit }: { pages: ReturnType<typeof useProducts>; onEdit: (product: Product) => void }) {
  if (pages.isPending) return <Stack p="md" role="status" aria-label="Loading">{[0, 1, 2, 3, 4].map((n) => <Skeleton key={n} height={48} />)}</Stack>;
  if (pages.isError) return <ErrorState error={pages.error} onRetry={() => void pages.refetch()} />;
  const products = pages.data.pages.flatMap((page) => page.data);
  if (products.length === 0) return <EmptyState icon="receipt" title="No products yet" text="Add the first one." />;
  const columns: Column<Product>[] = [
    { title: 'Product', cell: (one) => <Group gap="sm" wrap="nowrap"><LineThumb sku={one.sku} /><Stack gap={0} miw={0}><Text fw={550} className="prose-line">{one.name}</Text><Text size="sm" c="dimmed" className="prose-line">{one.sku}</Text></Stack></Group> },
    { title: 'Price', numeric: true, cell: (one) => formatMoney(one.unit_price, one.currency) },
    { title: 'Stock', numeric: true, cell: (one) => formatNumber(one.stock) },
    { title: 'Actions', action: true, cell: (one) => <Button variant="default" size="xs" aria-label={`Change ${one.name}`} onClick={() => onEdit(one)}>Change</Button> },
  ];
  return <DataTable label="Products" columns={columns} rows={products} rowKey={(one) => one.sku} />;
}
