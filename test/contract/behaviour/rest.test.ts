import { restAdapter } from '../adapters/rest.ts';
import { describePromises } from './promises.ts';

describePromises(restAdapter);
