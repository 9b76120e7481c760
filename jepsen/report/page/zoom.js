// Enlarges the timeline and says what time the pointer is at. The page is complete without it.
(function () {
  'use strict';
  var svg = document.getElementById('timeline');
  if (!svg) { return; }
  document.body.classList.add('live');
  var number = function (name) { return Number(svg.getAttribute('data-' + name)); };
  var left = number('left'), width = number('width'), from = number('from'), span = number('span');
  var box = svg.viewBox.baseVal;
  var view = { a: 0, b: span };
  var plots = Array.prototype.map.call(svg.querySelectorAll('svg.plot'), function (p) {
    return { el: p, height: p.getAttribute('viewBox').split(' ')[3] };
  });
  var labels = svg.querySelectorAll('.t');
  var rulers = svg.querySelectorAll('.ruler');

  function make(name, attributes, parent) {
    var el = document.createElementNS('http://www.w3.org/2000/svg', name);
    Object.keys(attributes).forEach(function (k) { el.setAttribute(k, attributes[k]); });
    parent.appendChild(el);
    return el;
  }
  function place(ms) { return left + width * (ms - view.a) / (view.b - view.a); }

  function moveLabel(el) {
    var a = Number(el.getAttribute('data-a')), b = Number(el.getAttribute('data-b'));
    var begin = Math.max(place(a), left), end = Math.min(place(b), left + width);
    el.setAttribute('x', begin + 3);
    var fits = !el.classList.contains('fit') || el.getComputedTextLength() + 6 <= end - begin;
    el.classList.toggle('off', b < view.a || a > view.b || !fits);
  }
  function drawRuler(g) {
    g.textContent = '';
    var step = 1, factors = [2, 2.5, 2];
    for (var i = 0; (view.b - view.a) / step >= 10; i++) { step *= factors[i % 3]; }
    for (var t = Math.ceil((from + view.a) / step) * step; t <= from + view.b; t += step) {
      make('text', { 'class': 'time', x: place(t - from), y: g.getAttribute('data-y') }, g).textContent = Number((t / 1000).toFixed(3)) + ' s';
    }
  }
  function draw() {
    plots.forEach(function (p) { p.el.setAttribute('viewBox', view.a + ' 0 ' + (view.b - view.a) + ' ' + p.height); });
    labels.forEach(moveLabel);
    rulers.forEach(drawRuler);
  }

  var cursor = make('line', { id: 'cursor', y1: 0, y2: box.height, x1: -9, x2: -9 }, svg);
  var select = make('rect', { id: 'select', y: 0, height: box.height, x: -9, width: 0 }, svg);
  var readout = document.getElementById('readout');
  var started = null;
  function at(event) {
    var r = svg.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - r.left) / r.width * box.width, left), left + width);
  }
  function time(x) { return view.a + (x - left) / width * (view.b - view.a); }

  svg.addEventListener('pointerdown', function (e) { if (e.button === 0) { started = at(e); } });
  svg.addEventListener('pointermove', function (e) {
    var x = at(e);
    cursor.setAttribute('x1', x);
    cursor.setAttribute('x2', x);
    readout.textContent = 'at ' + ((from + time(x)) / 1000).toFixed(3) + ' s';
    if (started !== null) {
      select.setAttribute('x', Math.min(started, x));
      select.setAttribute('width', Math.abs(started - x));
    }
  });
  window.addEventListener('pointerup', function (e) {
    if (started === null) { return; }
    var a = Math.min(started, at(e)), b = Math.max(started, at(e));
    started = null;
    select.setAttribute('width', 0);
    if (b - a > 4) {
      var next = { a: time(a), b: time(b) };
      if (next.b - next.a >= 5) { view = next; draw(); }
    }
  });
  svg.addEventListener('dblclick', function () { view = { a: 0, b: span }; draw(); });
}());
