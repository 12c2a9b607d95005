new EventSource('/events').onmessage = ({ data }) => { document.querySelector('#status').textContent = JSON.stringify(JSON.parse(data), undefined, 2) }
