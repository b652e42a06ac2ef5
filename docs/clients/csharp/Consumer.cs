// A consumer for Willcall with HttpClient, .NET 6 or newer: one message at a time, as bytes, so that no JSON parser is
// needed. See docs/clients.md.
//
//   WILLCALL_URL=https://willcall.example.org WILLCALL_KEY=... SUBSCRIPTION=acme-erp dotnet run
//
// Also read: WAIT_SECONDS (20), VISIBILITY_SECONDS (30), and WORK_SECONDS (0), how long the pretended work takes.

using System;
using System.Linq;
using System.Net.Http;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;
using System.Threading.Tasks;

public static class Consumer
{
    private static readonly string Base = Setting("WILLCALL_URL") + "/v1/subscriptions/" + Setting("SUBSCRIPTION") + "/";
    private static readonly int WaitSeconds = int.Parse(Setting("WAIT_SECONDS", "20"));
    private static readonly int VisibilitySeconds = int.Parse(Setting("VISIBILITY_SECONDS", "30"));
    private static readonly int WorkSeconds = int.Parse(Setting("WORK_SECONDS", "0"));
    // Each call has a time limit of its own.
    private static readonly HttpClient Http = new HttpClient { Timeout = Timeout.InfiniteTimeSpan };
    private static readonly Random Chance = new Random();

    private sealed class Message
    {
        public string Id;
        public string Receipt;
        public string Attempt;
        public byte[] Body;
    }

    private sealed class Answer
    {
        public int Status;
        public HttpResponseMessage Response;
        public byte[] Body;

        public string Header(string name)
        {
            return Response.Headers.TryGetValues(name, out var values) ? values.First() : null;
        }
    }

    /// <summary>Something that may be over later.</summary>
    private sealed class Trouble : Exception
    {
        public readonly int RetryAfterSeconds;

        public Trouble(string what, int retryAfterSeconds = 0) : base(what)
        {
            RetryAfterSeconds = retryAfterSeconds;
        }
    }

    public static async Task<int> Main()
    {
        var shutdown = new CancellationTokenSource();
        Action<PosixSignalContext> stop = signal =>
        {
            signal.Cancel = true; // it is we who end, in order
            shutdown.Cancel();
        };
        using (PosixSignalRegistration.Create(PosixSignal.SIGTERM, stop))
        using (PosixSignalRegistration.Create(PosixSignal.SIGINT, stop))
        {
            await Consume(shutdown.Token);
        }
        return 0;
    }

    private static async Task Consume(CancellationToken stopping)
    {
        var failures = 0;
        var key = Guid.NewGuid().ToString();
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                var message = await Receive(key, stopping);
                failures = 0;
                key = Guid.NewGuid().ToString();
                if (message != null) await Handle(message, stopping);
            }
            catch (Trouble trouble) // the same key again: what a lost answer held comes with the next one
            {
                await BackOff(failures++, trouble, stopping);
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                // The loop ends.
            }
        }
    }

    private static async Task<Message> Receive(string key, CancellationToken stopping)
    {
        var json = $"{{\"wait_seconds\": {WaitSeconds}, \"visibility_timeout_seconds\": {VisibilitySeconds}}}";
        var answer = await Call("receive/raw", json, WaitSeconds + 15, key, stopping);
        if (answer.Status == 204) return null;
        var receipt = answer.Header("Willcall-Receipt");
        if (receipt == null) throw new Trouble(answer.Status + " without a receipt: is it Willcall's?");
        return new Message
        {
            Id = answer.Header("Willcall-Message-Id"),
            Receipt = receipt,
            Attempt = answer.Header("Willcall-Attempt"),
            Body = answer.Body,
        };
    }

    private static async Task Handle(Message message, CancellationToken stopping)
    {
        Console.WriteLine($"received {message.Id} attempt {message.Attempt}");
        var done = new CancellationTokenSource();
        var heartbeat = Heartbeat(message, done.Token);
        try
        {
            await Settle(await Process(message, stopping) ? "acknowledge" : "release", message);
        }
        finally
        {
            done.Cancel();
            await heartbeat;
        }
    }

    /// <summary>
    /// Your work. It may see the same message.Id again: make the second time do nothing. False gives the message back because
    /// of the shutdown.
    /// </summary>
    private static async Task<bool> Process(Message message, CancellationToken stopping)
    {
        try
        {
            await Task.Delay(TimeSpan.FromSeconds(WorkSeconds), stopping);
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Acknowledges or releases until the service has said what became of the message.</summary>
    private static async Task Settle(string verb, Message message)
    {
        for (var failures = 0; failures < 5; failures++)
        {
            try
            {
                var answer = await Call(verb, $"{{\"receipts\": [\"{message.Receipt}\"]}}", 15, null, CancellationToken.None);
                var text = Encoding.UTF8.GetString(answer.Body);
                var outcome = Regex.Match(text, "\"outcome\":\"(?:already_)?(\\w+?)(?:_late)?\"").Groups[1].Value;
                // What is not ours any more, somebody else has, or has signed for.
                if (outcome == verb + "d") Console.WriteLine($"{outcome} {message.Id}");
                else Console.Error.WriteLine($"not settled {message.Id}: {outcome}");
                return;
            }
            catch (Trouble trouble)
            {
                await BackOff(failures, trouble, CancellationToken.None);
            }
        }
        Console.Error.WriteLine($"not settled {message.Id}: the service stays away, the message comes again");
    }

    /// <summary>Moves the visibility timeout on, at a third of the time.</summary>
    private static async Task Heartbeat(Message message, CancellationToken done)
    {
        var json = $"{{\"receipts\": [\"{message.Receipt}\"], \"visibility_timeout_seconds\": {VisibilitySeconds}}}";
        while (!done.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(TimeSpan.FromSeconds(VisibilitySeconds / 3.0), done);
                await Call("extend", json, 5, null, done);
            }
            catch (Trouble trouble)
            {
                Console.Error.WriteLine($"not extended: {trouble.Message}"); // two more chances before the time is over
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>An answer that says something: 200, 204, or 409 (none of the receipts is good, the results say why).</summary>
    private static async Task<Answer> Call(string path, string json, int seconds, string key, CancellationToken cancelled)
    {
        using (var limit = CancellationTokenSource.CreateLinkedTokenSource(cancelled))
        using (var request = new HttpRequestMessage(HttpMethod.Post, Base + path))
        {
            limit.CancelAfter(TimeSpan.FromSeconds(seconds));
            request.Headers.Add("Authorization", "Bearer " + Setting("WILLCALL_KEY"));
            if (key != null) request.Headers.Add("Idempotency-Key", key);
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
            try
            {
                var response = await Http.SendAsync(request, limit.Token);
                var body = await response.Content.ReadAsByteArrayAsync();
                var answer = new Answer { Status = (int)response.StatusCode, Response = response, Body = body };
                if (answer.Status == 200 || answer.Status == 204 || answer.Status == 409) return answer;
                if (answer.Status == 408 || answer.Status == 429 || answer.Status >= 500)
                {
                    throw new Trouble(answer.Status.ToString(), int.TryParse(answer.Header("Retry-After"), out var after) ? after : 0);
                }
                Console.Error.WriteLine(answer.Status + ": " + Encoding.UTF8.GetString(body));
                Environment.Exit(1); // trying again cannot help
                return answer;
            }
            catch (HttpRequestException error)
            {
                throw new Trouble(error.Message);
            }
            catch (OperationCanceledException) when (!cancelled.IsCancellationRequested)
            {
                throw new Trouble("no answer in time");
            }
        }
    }

    private static async Task BackOff(int failures, Trouble trouble, CancellationToken cancelled)
    {
        var longest = 250 << Math.Min(failures, 7);
        var delayMs = Chance.Next(longest / 2, longest + 1);
        if (trouble.RetryAfterSeconds * 1000 > delayMs) delayMs = trouble.RetryAfterSeconds * 1000 + Chance.Next(250);
        Console.Error.WriteLine($"{trouble.Message}: trying again in {delayMs} ms");
        try
        {
            await Task.Delay(delayMs, cancelled);
        }
        catch (OperationCanceledException)
        {
            // The shutdown does not wait.
        }
    }

    private static string Setting(string name, string otherwise = null)
    {
        var value = Environment.GetEnvironmentVariable(name);
        if (!string.IsNullOrEmpty(value)) return value;
        return otherwise ?? throw new InvalidOperationException(name + " is not set");
    }
}
