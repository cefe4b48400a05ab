/** Puts a product into the basket and says so on the button itself. */
import { useEffect, useState } from 'react';
import type { Product } from '@purser/api';
import { Button, Icon } from '@purser/ui';
import { notifications } from '@purser/ui/pages';
import { addToBasket, useBasket } from './basket';

export function AddButton({ product, quantity = 1, size = 'sm' }: { product: Product; quantity?: number; size?: 'sm' | 'md' }) {
  const [added, setAdded] = useState(0);
  const inBasket = useBasket().find((line) => line.sku === product.sku)?.quantity ?? 0;
  useEffect(() => {
    if (added === 0) return undefined;
    const timer = setTimeout(() => setAdded(0), 1400);
    return () => clearTimeout(timer);
  }, [added]);
  const add = () => {
    if (addToBasket(product, quantity)) setAdded((count) => count + 1);
    else notifications.show({ title: 'One currency at a time', message: 'Your basket holds another currency. Check out first, then add this.', color: 'brass' });
  };
  const soldOut = product.stock === 0;
  return (
    <Button size={size} {...(size === 'sm' ? { w: 98 } : { miw: 140, flex: 1 })} px="sm" variant={added > 0 || size === 'md' ? 'filled' : 'light'} disabled={soldOut} onClick={add}
      aria-label={`${added > 0 ? 'Added' : 'Add'} ${product.name} to the basket${inBasket > 0 ? `, ${inBasket} in it` : ''}`}
      leftSection={<Icon name={added > 0 ? 'check' : 'plus'} size={16} />}>
      {added > 0 ? 'Added' : 'Add'}
    </Button>
  );
}
