/** The catalogue. */
import { useState } from 'react';
import type { Product } from '@purser/api';
import { Card, EmptyState, ErrorState, Group, Icon, Link, Page, PageHeader, Skeleton, Stack, Text, TextInput } from '@purser/ui';
import { LoadMore, ProductArt, SimpleGrid, formatMoney } from '@purser/ui/pages';
import { AddButton } from './add-button';
import { useProducts } from './requests';

const COLUMNS = { base: 1, xs: 2, md: 3, lg: 4 };

export function CataloguePage() {
  const pages = useProducts();
  const [words, setWords] = useState('');
  const all = pages.data?.pages.flatMap((page) => page.data) ?? [];
  const shown = all.filter((product) => matches(product, words));
  return (
    <Page size="xl">
      <PageHeader title="The shop" text="Good things, paid in seconds and followed live."
        actions={<TextInput aria-label="Search the shop" placeholder="Search" size="sm" className="search-box" leftSection={<Icon name="search" />} value={words} onChange={(event) => setWords(event.currentTarget.value)} />} />
      {pages.isPending && <Waiting />}
      {pages.isError && <ErrorState error={pages.error} onRetry={() => void pages.refetch()} />}
      {pages.isSuccess && shown.length === 0 && (
        <EmptyState icon="bag" title={all.length === 0 ? 'Nothing on the shelves yet' : 'Nothing matches'} text={all.length === 0 ? 'Come back soon.' : `There is nothing like “${words}”.`} />
      )}
      <SimpleGrid cols={COLUMNS} spacing="lg" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
        {shown.map((product) => <ProductCard key={product.sku} product={product} />)}
      </SimpleGrid>
      <LoadMore pages={pages} />
    </Page>
  );
}

export function matches(product: Product, words: string): boolean {
  const text = `${product.name} ${product.description} ${product.sku}`.toLowerCase();
  return words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}

function ProductCard({ product }: { product: Product }) {
  return (
    <Card component="li" className="lift" padding={0}>
      <Link to={`/products/${encodeURIComponent(product.sku)}`} className="row-link">
        <ProductArt sku={product.sku} />
        <Stack gap={4} p="md" pb={0}>
          <Text fw={650} className="row-title" lineClamp={1}>{product.name}</Text>
          <Text size="sm" c="dimmed" lineClamp={2} mih={40}>{product.description}</Text>
        </Stack>
      </Link>
      <Group justify="space-between" p="md" mt="auto" wrap="nowrap">
        <Stack gap={0}>
          <Text fw={700} fz="lg" className="numeric">{formatMoney(product.unit_price, product.currency)}</Text>
          <Stock stock={product.stock} />
        </Stack>
        <AddButton product={product} />
      </Group>
    </Card>
  );
}

export function Stock({ stock }: { stock: number }) {
  if (stock === 0) return <Text size="xs" c="dimmed">Sold out</Text>;
  if (stock <= 5) return <Text size="xs" c="light-dark(var(--mantine-color-brass-7), var(--mantine-color-brass-3))">Only {stock} left</Text>;
  return <Text size="xs" c="dimmed">In stock</Text>;
}

function Waiting() {
  return (
    <SimpleGrid cols={COLUMNS} spacing="lg" role="status" aria-label="Loading">
      {Array.from({ length: 8 }, (_, n) => (
        <Card key={n} padding={0}>
          <Skeleton height={150} radius={0} />
          <Stack gap={10} p="md"><Skeleton height={20} width="60%" /><Skeleton height={34} /><Skeleton height={42} mt={6} /></Stack>
        </Card>
      ))}
    </SimpleGrid>
  );
}
