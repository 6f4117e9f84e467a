// Crawlee for Node.js with Cheerio; an item for each page goes to its data set.
import { CheerioCrawler } from '@crawlee/cheerio';

let pages = 0;
const crawler = new CheerioCrawler({
    minConcurrency: 32,
    maxConcurrency: 32,
    async requestHandler({ request, $, pushData, enqueueLinks }) {
        pages += 1;
        await pushData({ url: request.loadedUrl, title: $('title').text() });
        await enqueueLinks();
    },
});
crawler.log.setLevel(0);
const wall = performance.now();
const before = process.cpuUsage();
await crawler.run([process.argv[2]]);
const used = process.cpuUsage(before);
console.log(JSON.stringify({
    pages,
    seconds: (performance.now() - wall) / 1000,
    cpu: (used.user + used.system) / 1e6,
    memory_mb: process.resourceUsage().maxRSS / 1024,
}));
